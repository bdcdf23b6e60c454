"""The graph of a lock: chains, trees, roots, and names that are nearly right."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.locking import graph
from envfreeze.locking.graph import Graph, Key
from envfreeze.locking.model import AptBase, CondaPackage, Deb, Target, Wheel
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DIGEST = Digest("0" * 64)


def wheel(name: str, needs: Sequence[str] = (), *, requested: bool = False) -> Wheel:
    return Wheel(
        name, "1.0", f"{name}-1.0-py3-none-any.whl", DIGEST, 1, "file:x", requested, False, tuple(needs)
    )


def deb(name: str, needs: Sequence[str] = (), *, requested: bool = False) -> Deb:
    return Deb(name, "1", "amd64", f"pool/{name}.deb", DIGEST, 1, "debian", requested, tuple(needs))


def conda(name: str, needs: Sequence[str] = (), *, requested: bool = False) -> CondaPackage:
    return CondaPackage(
        name, "1.0", "0", 0, "linux-64", "file:///c", f"{name}-1.0-0.conda", DIGEST, None, 1, "file:///c/x",
        tuple(needs), requested=requested,
    )  # fmt: skip


def target(*packages: Wheel | Deb | CondaPackage) -> Target:
    base = AptBase("apt:debian/trixie", (), (), tuple(one for one in packages if isinstance(one, Deb)))
    return Target(
        platform=Platform("linux", "amd64"),
        python="3.13.5",
        glibc="2.41",
        manylinux="manylinux_2_40",
        base=base,
        wheels=tuple(one for one in packages if isinstance(one, Wheel)),
        conda=tuple(one for one in packages if isinstance(one, CondaPackage)),
    )


def of(needs: Mapping[str, Sequence[str]], *requested: str) -> Graph:
    return graph.of_target(
        target(*(wheel(name, below, requested=name in requested) for name, below in needs.items()))
    )


def names(chain: Sequence[Key]) -> str:
    return " ".join(key.name for key in chain)


def chains(found: Graph, name: str) -> list[str]:
    return [names(chain) for chain in graph.chains(found, Key("pip", name))]


def drawn(found: Graph, *roots: str, depth: int | None = None, inverted: bool = False) -> list[str]:
    keys = [Key("pip", root) for root in roots]
    return [
        f"{'.' * len(branch.last)}{branch.key.name}{'*' if branch.repeated else ''}"
        for branch in graph.walk(found, keys, depth=depth, inverted=inverted)
    ]


def test_every_shortest_chain_from_every_root_is_given_the_shortest_first() -> None:
    found = of({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": [], "e": ["d"], "f": ["a"]}, "a", "e", "f")
    assert chains(found, "d") == ["e d", "a b d", "a c d", "f a b d", "f a c d"]
    assert graph.chains(found, Key("pip", "d")).count == 5


def test_it_is_known_whether_anything_asked_for_leads_there() -> None:
    found = of({"a": ["b"], "b": ["d"], "lonely": ["d", "e"], "d": [], "e": []}, "a")
    assert chains(found, "d") == ["lonely d", "a b d"]
    assert graph.chains(found, Key("pip", "d")).asked
    assert not graph.chains(found, Key("pip", "e")).asked


def test_a_way_that_is_longer_than_another_from_the_same_root_is_left_out() -> None:
    found = of({"a": ["b", "d"], "b": ["d"], "d": []}, "a")
    assert chains(found, "d") == ["a d"]


def test_what_is_asked_for_is_its_own_reason() -> None:
    found = of({"a": ["b"], "b": []}, "a", "b")
    assert chains(found, "b") == ["b", "a b"]


def test_roots_that_count_for_more_come_first() -> None:
    found = of({"a": ["d"], "z": ["y"], "y": ["d"], "d": []}, "a", "z")
    assert [names(chain) for chain in graph.chains(found, Key("pip", "d"), {Key("pip", "z")})] == [
        "z y d",
        "a d",
    ]


def test_cycles_end() -> None:
    found = of({"a": ["b"], "b": ["c"], "c": ["b", "a"]}, "a")
    assert chains(found, "c") == ["a b c"]
    assert chains(found, "a") == ["a"]
    assert drawn(found, "a") == ["a", ".b", "..c", "...a*", "...b*"]


def test_a_package_that_needs_itself_is_no_cycle_to_fall_into() -> None:
    assert drawn(of({"a": ["a"]}, "a"), "a") == ["a", ".a*"]


def test_diamonds_are_counted_and_not_walked() -> None:
    # 2**200 shortest chains.
    needs = {"n000": ["l001", "r001"]}
    for level in range(1, 200):
        below = [f"l{level + 1:03}", f"r{level + 1:03}"]
        needs |= {f"l{level:03}": below, f"r{level:03}": below}
    needs |= {"l200": ["z"], "r200": ["z"], "z": []}
    found = of(needs, "n000")
    begun = time.monotonic()
    reasons = graph.chains(found, Key("pip", "z"))
    assert reasons.count == 2**200
    assert len(next(iter(reasons))) == 202
    assert len(list(itertools.islice(reasons, 50))) == 50
    assert len(drawn(found, "n000")) < 1000
    assert time.monotonic() - begun < 2


def test_a_long_chain_is_no_recursion() -> None:
    needs = {f"n{number:05}": [f"n{number + 1:05}"] for number in range(5000)} | {"n05000": []}
    found = of(needs, "n00000")
    assert len(next(iter(graph.chains(found, Key("pip", "n05000"))))) == 5001


def test_branches_come_once_and_are_marked_after_that() -> None:
    found = of({"a": ["b", "c"], "b": ["d"], "c": ["b", "d"], "d": ["e"], "e": []}, "a")
    assert drawn(found, "a") == ["a", ".b", "..d", "...e", ".c", "..b*", "..d*"]


def test_a_depth_cuts_and_what_is_met_higher_up_reaches_further() -> None:
    found = of({"a": ["b", "d"], "b": ["c"], "c": ["d"], "d": ["e"], "e": []}, "a")
    assert drawn(found, "a", depth=0) == ["a"]
    assert drawn(found, "a", depth=2) == ["a", ".b", "..c", ".d", "..e"]


def test_inverted_it_leads_to_what_asks() -> None:
    found = of({"a": ["b"], "b": ["d"], "c": ["d"], "d": []}, "a", "c")
    assert drawn(found, "d", inverted=True) == ["d", ".b", "..a", ".c"]


def test_what_nothing_leads_to_is_a_root_of_its_own() -> None:
    found = of({"a": [], "lonely": ["below"], "below": [], "p": ["q"], "q": ["p"]}, "a")
    assert names(found.roots) == "a lonely p"


def test_conda_packages_settle_what_wheels_and_conda_packages_need() -> None:
    found = graph.of_target(
        target(
            conda("numpy", ["python >=3.13,<3.14.0a0", "__glibc >=2.17", "defaults::libblas >=3.9"]),
            conda("libblas"),
            conda("python", requested=True),
            conda("pytorch"),
            wheel("pandas", ["numpy", "torch", "gone"], requested=True),
        ),
        {"torch": "pytorch"},
    )
    assert found.nodes[Key("pip", "pandas")].needs == (Key("conda", "numpy"), Key("conda", "pytorch"))
    assert found.nodes[Key("conda", "numpy")].needs == (Key("conda", "libblas"), Key("conda", "python"))


def test_a_name_is_found_on_every_side_however_it_is_spelt() -> None:
    found = graph.of_target(
        target(conda("scikit-learn"), wheel("scikit-learn"), deb("python3"), wheel("python3"))
    )
    assert found.find("Scikit_Learn") == (Key("pip", "scikit-learn"),)
    assert found.find("scikit-learn") == (Key("conda", "scikit-learn"), Key("pip", "scikit-learn"))
    assert found.find("python3", "os") == (Key("os", "python3"),)
    assert found.find("nothing") == ()


def test_a_side_without_edges_is_told() -> None:
    assert graph.of_target(target(wheel("a", requested=True), wheel("b"))).dark_sides == ("pip",)
    assert graph.of_target(target(wheel("a", requested=True))).dark_sides == ()
    assert graph.of_target(target(deb("a", ["b"], requested=True), deb("b"))).dark_sides == ()


def test_names_that_are_nearly_right_are_named() -> None:
    assert graph.nearest({"numpy", "scipy", "numba"}, "nunpy")[0] == "numpy"
    assert "libopenblas" in graph.nearest({"numpy", "libopenblas"}, "blas")
    assert graph.nearest({"numpy"}, "zzz") == ()


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    known = [f"n{number}" for number in range(draw(st.integers(1, 8)))]
    needs = {name: draw(st.lists(st.sampled_from(known), max_size=4, unique=True)) for name in known}
    return of(needs, *draw(st.lists(st.sampled_from(known), max_size=3)))


@given(graphs(), st.booleans(), st.none() | st.integers(0, 3))
def test_every_package_is_in_the_tree_and_no_branch_twice(
    found: Graph, inverted: bool, depth: int | None
) -> None:
    branches = list(graph.walk(found, found.roots, depth=depth, inverted=inverted))
    if depth is None and not inverted:
        assert {branch.key for branch in branches} == set(found.nodes)
    assert all(depth is None or len(branch.last) <= depth for branch in branches)
    assert len(branches) <= 200


@given(graphs())
def test_chains_are_as_many_as_counted_and_lead_from_roots_to_the_package(found: Graph) -> None:
    for key in found.nodes:
        reasons = graph.chains(found, key)
        listed = list(itertools.islice(reasons, 5000))
        assert len(listed) == len(set(listed)) == reasons.count > 0
        for chain in listed:
            assert chain[0] in found.roots
            assert chain[-1] == key
            assert all(after in found.nodes[before].needs for before, after in itertools.pairwise(chain))
            assert len(chain) == len(set(chain))
