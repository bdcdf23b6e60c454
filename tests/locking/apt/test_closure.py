"""The closure of what was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.errors import ResolutionError
from envfreeze.locking.apt.closure import close
from envfreeze.locking.apt.index import PackagesFile, Universe

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from envfreeze.locking.apt.index import Package

Complete = "Callable[..., str]"


def universe(text: str) -> Universe:
    return Universe([PackagesFile(text.encode(), archive="debian", where="Packages")], "amd64")


@pytest.fixture
def names(complete: Complete) -> Callable[..., list[str]]:
    """The names in the closure of some packages of a universe."""

    def make(stanzas: str, *requested: str) -> list[str]:
        found = close(universe(complete(stanzas)), requested, suite="apt:debian/trixie")
        return [package.name for package in found]

    return make


Names = "Callable[..., list[str]]"


def test_dependencies_are_followed_to_their_end_and_recommendations_are_not(names: Names) -> None:
    stanzas = """\
Package: aa
Depends: bb
Recommends: ee

Package: bb
Pre-Depends: cc

Package: cc
Depends: aa

Package: dd

Package: ee
"""
    assert names(stanzas, "aa") == ["aa", "bb", "cc"]


def test_what_is_chosen_settles_an_alternative(names: Names) -> None:
    stanzas = "Package: aa\nDepends: bb | cc\n\nPackage: bb\n\nPackage: cc"

    assert names(stanzas, "aa") == ["aa", "bb"]
    assert names(stanzas, "aa", "cc") == ["aa", "cc"]


def test_a_later_need_settles_an_earlier_choice(names: Names) -> None:
    stanzas = """\
Package: aa
Depends: mta | dummy, bb

Package: bb
Depends: cc

Package: cc
Depends: postfix

Package: exim
Provides: mta

Package: postfix
Provides: mta

Package: dummy
"""
    assert names(stanzas, "aa") == ["aa", "bb", "cc", "postfix"]


def test_the_first_alternative_that_can_be_had_is_taken(names: Names) -> None:
    stanzas = "Package: aa\nDepends: gone | bb (>= 2) | cc:i386 | dd:any | ee\n\nPackage: bb\n\n"
    stanzas += "Package: cc\n\nPackage: dd\n\nPackage: ee"

    assert names(stanzas, "aa") == ["aa", "dd"]


def test_an_alternative_that_conflicts_is_passed_over(names: Names) -> None:
    stanzas = "Package: aa\nDepends: bb | cc\n\nPackage: bb\nConflicts: dd\n\nPackage: cc\n\nPackage: dd"

    assert names(stanzas, "aa", "dd") == ["aa", "cc", "dd"]


def test_of_several_providers_the_more_important_then_the_first_by_name_is_taken(names: Names) -> None:
    stanzas = """\
Package: aa
Depends: awk

Package: gawk
Provides: awk
Priority: optional

Package: mawk
Provides: awk
Priority: {priority}

Package: original-awk
Provides: awk
Priority: extra
"""
    assert names(stanzas.format(priority="required"), "aa") == ["aa", "mawk"]
    assert names(stanzas.format(priority="optional"), "aa") == ["aa", "gawk"]


def test_a_real_package_is_preferred_to_a_provider(names: Names) -> None:
    stanzas = "Package: aa\nDepends: cc\n\nPackage: bb\nProvides: cc\nPriority: required\n\nPackage: cc"

    assert names(stanzas, "aa") == ["aa", "cc"]


def test_only_a_versioned_provision_satisfies_a_version(names: Names) -> None:
    stanzas = """\
Package: aa
Depends: api (>= 3)

Package: bb
Provides: api
Priority: required

Package: cc
Provides: api (= 2)

Package: dd
Provides: api (= 3)
Priority: extra
"""
    assert names(stanzas, "aa") == ["aa", "dd"]


def test_an_unknown_package_is_named_with_its_neighbours(names: Names) -> None:
    with pytest.raises(ResolutionError, match="no package libgl in apt:debian/trixie for amd64") as caught:
        names("Package: libgl1\n\nPackage: zlib1g", "libgl")
    assert caught.value.hint == "did you mean libgl1?"


def test_a_virtual_package_is_not_asked_for_by_name(names: Names) -> None:
    with pytest.raises(ResolutionError, match="awk is a virtual package") as caught:
        names("Package: mawk\nProvides: awk\n\nPackage: gawk\nProvides: awk", "awk")
    assert "gawk, mawk" in caught.value.hint


def test_a_dependency_that_cannot_be_had_is_told_with_its_chain(names: Names) -> None:
    with pytest.raises(ResolutionError, match=r"cc 1 needs dd \(>= 2\) \| gone, which") as caught:
        names(
            "Package: aa\nDepends: bb\n\nPackage: bb\nDepends: cc\n\n"
            "Package: cc\nDepends: dd (>= 2) | gone\n\nPackage: dd",
            "aa",
        )
    assert caught.value.details == ("cc is needed by: aa -> bb -> cc",)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("Conflicts: cc", "bb 1 Conflicts: cc"),
        ("Breaks: cc (<< 2)", r"bb 1 Breaks: cc \(<< 2\)"),
        ("Conflicts: api", "bb 1 Conflicts: api"),
        ("Breaks: api (= 3)", r"bb 1 Breaks: api \(= 3\)"),
    ],
)
def test_packages_that_exclude_each_other_are_both_named(names: Names, field: str, words: str) -> None:
    stanzas = f"Package: aa\nDepends: bb, cc\n\nPackage: bb\n{field}\n\nPackage: cc\nProvides: api (= 3)"

    with pytest.raises(ResolutionError, match=f"bb and cc exclude each other: {words}") as caught:
        names(stanzas, "aa")
    assert caught.value.details == ("bb is needed by: aa -> bb", "cc is needed by: aa -> cc")


@pytest.mark.parametrize("field", ["Conflicts: cc (>> 1)", "Breaks: api (<< 3)", "Conflicts: cc:i386"])
def test_an_exclusion_of_other_versions_does_not_matter(names: Names, field: str) -> None:
    stanzas = f"Package: bb\n{field}\n\nPackage: cc\nProvides: api (= 3)"

    assert names(stanzas, "bb", "cc") == ["bb", "cc"]


def test_a_package_may_exclude_all_others_of_its_kind(names: Names) -> None:
    kind = "Provides: mta\nConflicts: mta"
    stanzas = f"Package: exim\n{kind}\n\nPackage: postfix\n{kind}"

    assert names(stanzas, "exim") == ["exim"]
    with pytest.raises(ResolutionError, match="exim and postfix exclude each other"):
        names(stanzas, "exim", "postfix")


# ------------------------------------------------------------------------------------- any universe at all

REAL = [f"p{number}" for number in range(8)]
VIRTUAL = ["v0", "v1"]
VERSION = st.sampled_from(["1", "2", "3"])
RELATION = st.builds(
    lambda name, relop, version: f"{name} ({relop} {version})" if relop else name,
    st.sampled_from(REAL + VIRTUAL),
    st.sampled_from(["", "", "", ">=", "<<", "="]),
    VERSION,
)
DEPENDS = st.lists(st.lists(RELATION, min_size=1, max_size=3).map(" | ".join), max_size=2).map(", ".join)
PROVIDES = st.lists(
    st.builds(
        lambda name, version: f"{name} (= {version})" if version else name,
        st.sampled_from(VIRTUAL),
        st.sampled_from(["", "1", "2"]),
    ),
    max_size=2,
).map(", ".join)
STANZA = st.fixed_dictionaries(
    {"Version": VERSION},
    optional={
        "Depends": DEPENDS,
        "Pre-Depends": DEPENDS,
        "Provides": PROVIDES,
        "Breaks": RELATION,
        "Priority": st.sampled_from(["required", "optional"]),
    },
)
# All of them are there, so that most draws have a closure.
UNIVERSE = st.fixed_dictionaries(dict.fromkeys(REAL, STANZA))


def write(stanzas: Sequence[tuple[str, dict[str, str]]]) -> str:
    return "\n\n".join(
        "\n".join([f"Package: {name}", *(f"{field}: {value}" for field, value in fields.items() if value)])
        for name, fields in stanzas
    )


def satisfied(relation: str, chosen: Sequence[Package]) -> bool:
    """Written a second time, from the policy and not from the code."""
    name, _, rest = relation.partition(" ")
    relop, version = rest.strip("()").split() if rest else ("", "")

    def holds(have: str) -> bool:
        return {"": True, ">=": have >= version, "<<": have < version, "=": have == version}[relop]

    return any(
        (package.name == name and holds(package.version))
        or any(
            provision.name == name and (not relop or (bool(provision.version) and holds(provision.version)))
            for provision in package.provides
        )
        for package in chosen
    )


@given(UNIVERSE, st.sets(st.sampled_from(REAL), min_size=1, max_size=3), st.randoms(use_true_random=False))
def test_every_closure_is_closed_and_does_not_depend_on_any_order(
    complete: Complete, made: dict[str, dict[str, str]], requested: set[str], shuffler: random.Random
) -> None:
    def attempt(stanzas: list, asked: list[str]) -> tuple[Package, ...] | str:
        try:
            return close(universe(complete(write(stanzas))), asked, suite="apt:debian/trixie")
        except ResolutionError as error:
            return error.message

    stanzas, asked = sorted(made.items()), sorted(requested)
    result = attempt(stanzas, asked)
    shuffler.shuffle(stanzas)
    shuffler.shuffle(asked)
    assert attempt(stanzas, asked) == result
    if isinstance(result, str):
        return

    chosen = {package.name for package in result}
    assert requested <= chosen
    for name in chosen:
        fields = made[name]
        for group in f"{fields.get('Pre-Depends', '')}, {fields.get('Depends', '')}".split(", "):
            if group.strip():
                assert any(satisfied(one, result) for one in group.split(" | ")), (name, group)
        if "Breaks" in fields:
            others = [package for package in result if package.name != name]
            assert not satisfied(fields["Breaks"], others)
    # Nothing is there that neither was asked for nor is named by something that is there.
    for package in result:
        known_as = {package.name, *(provision.name for provision in package.provides)}
        named = {
            relation.name
            for other in result
            if other.name != package.name
            for group in other.depends
            for relation in group
        }
        assert package.name in requested or known_as & named


@pytest.fixture
def added(complete: Complete) -> Callable[..., list[str]]:
    """What is added to installed packages for some others: `name version`."""

    def make(installed: str, stanzas: str, *requested: str) -> list[str]:
        there = universe(complete(installed))
        packages = [package for name in sorted(there.names()) if (package := there.candidate(name))]
        found = close(universe(complete(stanzas)), requested, suite="apt:debian/trixie", installed=packages)
        return [f"{package.name} {package.version}" for package in found]

    return make


def test_what_is_installed_is_not_added(added: Names) -> None:
    installed = "Package: bb\nVersion: 1\n\nPackage: cc\nVersion: 1\n"
    stanzas = "Package: aa\nVersion: 1\nDepends: bb (>= 1), dd\n\nPackage: bb\nVersion: 2\n\n"
    stanzas += "Package: dd\nVersion: 1\n"
    assert added(installed, stanzas, "aa", "cc") == ["aa 1", "dd 1"]


def test_an_installed_package_gives_way_to_the_version_that_is_needed(added: Names) -> None:
    installed = "Package: bb\nVersion: 1\n\nPackage: bb-data\nVersion: 1\nDepends: bb (= 1)\n"
    stanzas = """\
Package: aa
Version: 1
Depends: bb (= 2)

Package: bb
Version: 2

Package: bb-data
Version: 2
Depends: bb (= 2), new

Package: new
Version: 1
"""
    assert added(installed, stanzas, "aa") == ["aa 1", "bb 2", "bb-data 2", "new 1"]


def test_an_installed_package_that_is_broken_by_another_gives_way(added: Names) -> None:
    installed = "Package: bb\nVersion: 1\n"
    stanzas = "Package: aa\nVersion: 1\nBreaks: bb (<< 2)\n\nPackage: bb\nVersion: 2\n"
    assert added(installed, stanzas, "aa") == ["aa 1", "bb 2"]


def test_needs_that_the_base_was_made_with_stay_open(added: Names) -> None:
    installed = "Package: bb\nVersion: 1\nDepends: gone\n\nPackage: cc\nVersion: 1\n"
    stanzas = "Package: aa\nVersion: 1\nDepends: cc (>= 2)\n\nPackage: cc\nVersion: 2\n"
    assert added(installed, stanzas, "aa") == ["aa 1", "cc 2"]


def test_nothing_of_the_base_becomes_older_and_nothing_loses_what_it_needs(added: Names) -> None:
    stanzas = "Package: aa\nVersion: 1\nDepends: bb (= 1)\n\nPackage: bb\nVersion: 1\n"
    with pytest.raises(ResolutionError, match=r"the base has bb 2, and .* needs 1, which is older"):
        added("Package: bb\nVersion: 2\n", stanzas, "aa")
    installed = "Package: bb\nVersion: 1\n\nPackage: own\nVersion: 1\nDepends: bb (= 1)\n"
    stanzas = "Package: aa\nVersion: 1\nDepends: bb (= 2)\n\nPackage: bb\nVersion: 2\n"
    with pytest.raises(ResolutionError, match="own 1 of the base needs bb"):
        added(installed, stanzas, "aa")
