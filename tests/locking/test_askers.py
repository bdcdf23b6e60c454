"""Who asks for what is asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.locking import askers, requirements
from envfreeze.locking.graph import Key
from envfreeze.locking.model import AptBase, CondaPackage, Deb, Target, Wheel
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from conftest import MakeProject

DIGEST = Digest("0" * 64)
WHEEL = Wheel("six", "1.0", "six-1.0-py3-none-any.whl", DIGEST, 1, "file:x", requested=True)
DEB = Deb("git", "1", "amd64", "pool/git.deb", DIGEST, 1, "debian", requested=True)
CONDA = CondaPackage(
    "numpy", "1", "0", 0, "noarch", "file:///c", "x", DIGEST, None, 1, "file:///c/x", requested=True
)


def target(reference: str = "apt:debian/trixie") -> Target:
    seed = tuple(replace(DEB, name=name) for name in ("bash", "git", "python3.13"))
    base = AptBase(reference, (), (), (*seed, replace(DEB, name="libc6", requested=False)))
    return Target(
        Platform("linux", "amd64"), "3.13.5", "2.41", "manylinux_2_40", base, (WHEEL,), conda=(CONDA,)
    )


def test_each_side_has_its_own_places(make_project: MakeProject) -> None:
    project = make_project(
        files={"requirements.in": "-r more/a.txt\nother\n", "more/a.txt": "SIX>=1\n"},
        requirements=("requirements.in",),
    )
    contents = {"requirements.in": b"-r more/a.txt\nother\n", "more/a.txt": b"SIX>=1\n"}
    image = replace(project.image, packages=("git=1", "bash"))
    project = replace(project, inputs={**contents, "environment.yml": b""}, image=image)
    assert askers.of_target(target(), project) == {
        Key("conda", "numpy"): ("environment.yml",),
        Key("pip", "six"): ("more/a.txt",),
        Key("os", "bash"): ("the seed of apt:debian/trixie", "[image] packages"),
        Key("os", "git"): ("[image] packages",),
        Key("os", "python3.13"): ("the Python of apt:debian/trixie",),
    }


def test_without_the_project_it_is_the_project_that_asks() -> None:
    found = askers.of_target(target("apt:debian/forgotten"), None)
    assert set(found.values()) == {("the project",)}


def test_what_is_no_requirements_file_is_named_too(make_project: MakeProject) -> None:
    project = make_project("six", files={"pyproject.toml": ""})
    assert requirements.named_in(project) == {"six": ("pyproject.toml",)}
    (project.root / "pyproject.toml").unlink()
    project = replace(project, inputs={"environment.yml": b""})
    assert requirements.named_in(project) == {"six": ("environment.yml",)}
