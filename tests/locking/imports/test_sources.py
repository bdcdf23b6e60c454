"""Packages of imported locks that have no wheel: built like those of a project's own resolution."""

from __future__ import annotations

import json
import sys
from types import SimpleNamespace

import pytest
import tomli_w

from envfreeze.digest import Digest
from envfreeze.errors import ResolutionError, UntrustedError
from envfreeze.locking.imports import found, trees

PROJECT = '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = [{}]\n'
COMMIT = "0123456789abcdef0123456789abcdef01234567"
ALLOWED = 'allow-sdist = ["top"]\n'


@pytest.fixture
def packed(world, source_of, sdist_of):
    """A package that has only an sdist, which does not say what it needs: beta."""
    path = sdist_of(source_of("top", requires=["beta"]), "top")
    world.index.add(path)
    return path


def uv_lock(world, _packed):
    world.write("pyproject.toml", PROJECT.format('"top"'))
    world.uv_lock()
    return "uv.lock"


def pylock(world, packed):
    uv_lock(world, packed)
    world.uv(
        "export", "--frozen", "--no-emit-project", "--format", "pylock.toml", "-o", "pylock.app.toml",
        "--python", sys.executable,
    )  # fmt: skip
    return "pylock.app.toml"


def requirements(world, packed):
    uv_lock(world, packed)
    world.uv("export", "--frozen", "--no-emit-project", "-o", "locked.txt", "--python", sys.executable)
    return "locked.txt"


def poetry_lock(world, packed):
    beta = world.wheels["beta-1.5-py3-none-any.whl"]

    def row(name, version, path, **more):
        files = [{"file": path.name, "hash": str(Digest.of_file(path))}]
        common = {"optional": False, "python-versions": "*", "groups": ["main"], "files": files}
        return {"name": name, "version": version, "description": "", **common, **more}

    document = {
        "package": [row("beta", "1.5", beta), row("top", "1.0", packed, dependencies={"beta": "*"})],
        "metadata": {"lock-version": "2.1", "python-versions": ">=3.11", "content-hash": "0"},
    }
    world.write("poetry.lock", tomli_w.dumps(document))
    world.write("pyproject.toml", PROJECT.format('"top"'))
    return "poetry.lock"


def pipfile_lock(world, packed):
    beta = world.wheels["beta-1.5-py3-none-any.whl"]
    rows = {
        name: {"hashes": [str(Digest.of_file(path))], "version": f"=={version}", "index": "loop"}
        for name, version, path in (("beta", "1.5", beta), ("top", "1.0", packed))
    }
    source = {"name": "loop", "url": world.url, "verify_ssl": False}
    meta = {"hash": {"sha256": "0"}, "pipfile-spec": 6, "requires": {}, "sources": [source]}
    world.write("Pipfile.lock", json.dumps({"_meta": meta, "default": rows, "develop": {}}))
    (world.root / "pyproject.toml").unlink()
    return "Pipfile.lock"


FORMATS = [uv_lock, pylock, requirements, poetry_lock, pipfile_lock]


@pytest.mark.parametrize("lock", FORMATS)
def test_an_allowed_sdist_of_every_format_is_built(world, packed, lock):
    name = lock(world, packed)
    beta, top = world.take(name, pip=ALLOWED).wheels
    assert (top.name, top.version, top.filename) == ("top", "1.0", "top-1.0-py3-none-any.whl")
    assert (top.direct, top.requested, top.dependencies) == (False, True, ("beta",))
    assert (top.source.kind, top.source.url) == ("sdist", world.index.file_url(packed))
    assert top.source.digest == Digest.of_file(packed)
    assert beta.source is None


@pytest.mark.parametrize("lock", FORMATS)
def test_an_sdist_that_is_not_allowed_is_refused_with_the_key_that_allows_it(world, packed, lock):
    name = lock(world, packed)
    with pytest.raises(ResolutionError) as caught:
        world.take(name)
    assert caught.value.details == ("top 1.0: no wheel for the target, only an sdist",)
    assert 'in [pip]: allow-sdist = ["top"]' in caught.value.hint


@pytest.mark.parametrize("lock", FORMATS)
def test_an_sdist_is_held_against_the_hash_of_the_lock(world, packed, lock):
    name = lock(world, packed)
    right = Digest.of_file(packed).hex
    wrong = right[:-4] + "0000"
    world.write(name, world.read(name).replace(right, wrong))
    with pytest.raises(UntrustedError) as caught:
        world.take(name, pip=ALLOWED)
    said = "\n".join((caught.value.message, *caught.value.details))
    assert "top-1.0.tar.gz" in said
    assert wrong in said


def test_what_was_built_is_kept_while_its_source_stays(world, packed):
    name = uv_lock(world, packed)
    first = world.take(name, pip=ALLOWED).wheels
    world.index.remove(packed)
    before = len(world.index.requests)
    last = SimpleNamespace(wheels=first)
    assert world.take(name, pip=ALLOWED, last=last).wheels == first
    assert not any("top-1.0.tar.gz" in path for path in world.index.requests[before:])


def test_a_wheel_goes_before_an_sdist_that_may_be_built(world, packed, make_wheel):
    world.index.add(make_wheel("top", requires=["beta"]))
    name = uv_lock(world, packed)
    _, top = world.take(name, pip=ALLOWED).wheels
    assert top.source is None


def test_a_commit_and_a_folder_of_a_uv_lock_need_no_leave(world, source_of, git_repository):
    files = source_of("theirs", static=True)
    commit = git_repository.commit({f"python/{name}": text for name, text in files.items()})
    git_repository.git("tag", "v1")
    (world.root / "libs/mine").mkdir(parents=True)
    for file, text in source_of("mine", static=True).items():
        world.write(f"libs/mine/{file}", text)
    world.write(
        "pyproject.toml",
        PROJECT.format('"mine", "theirs"') + "[tool.uv.sources]\n"
        f'theirs = {{ git = "{git_repository.root.as_uri()}", tag = "v1", subdirectory = "python" }}\n'
        'mine = { path = "libs/mine", editable = true }\n',
    )
    world.uv_lock()
    mine, theirs = world.take("uv.lock").wheels
    assert (mine.url, mine.source.kind, mine.source.url) == ("file:libs/mine", "directory", "libs/mine")
    assert (theirs.source.kind, theirs.source.commit) == ("git", commit)
    assert (theirs.source.revision, theirs.source.subdirectory) == ("v1", "python")
    assert (mine.direct, theirs.direct, mine.requested) == (True, True, True)


def test_commits_and_folders_of_the_other_formats(world, source_of, git_repository):
    commit = git_repository.commit(source_of("theirs"))
    url = git_repository.root.as_uri()
    (world.root / "pyproject.toml").unlink()
    (world.root / "mine").mkdir()
    for file, text in source_of("mine").items():
        world.write(f"mine/{file}", text)
    world.write("locked.txt", f"theirs @ git+{url}@{commit}\n-e ./mine\n")
    pylock = {
        "lock-version": "1.0",
        "created-by": "tests",
        "packages": [
            {"name": "mine", "directory": {"path": "mine"}},
            {"name": "theirs", "vcs": {"type": "git", "url": url, "commit-id": commit}},
        ],
    }
    world.write("pylock.app.toml", tomli_w.dumps(pylock))
    source = {"type": "git", "url": url, "reference": "main", "resolved_reference": commit}
    row = {"description": "", "optional": False, "python-versions": "*", "groups": ["main"], "files": []}
    poetry = {
        "package": [
            {"name": "mine", "version": "1.0", **row, "source": {"type": "directory", "url": "mine"}},
            {"name": "theirs", "version": "1.0", **row, "source": source},
        ],
        "metadata": {"lock-version": "2.1", "python-versions": "*", "content-hash": "0"},
    }
    world.write("poetry.lock", tomli_w.dumps(poetry))
    meta = {"hash": {"sha256": "0"}, "pipfile-spec": 6, "requires": {}, "sources": []}
    entries = {"mine": {"editable": True, "path": "./mine"}, "theirs": {"git": url, "ref": commit}}
    world.write("Pipfile.lock", json.dumps({"_meta": meta, "default": entries, "develop": {}}))
    kinds = {}
    for name in ("locked.txt", "pylock.app.toml", "poetry.lock", "Pipfile.lock"):
        mine, theirs = world.take(name).wheels
        kinds[name] = (mine.source.kind, mine.source.url, theirs.source.kind, theirs.source.commit)
    assert set(kinds.values()) == {("directory", "mine", "git", commit)}, kinds


def test_an_sdist_named_by_its_url_needs_no_leave_and_no_hash(world, packed):
    (world.root / "pyproject.toml").unlink()
    world.write("locked.txt", f"beta==1.5\ntop @ {world.index.file_url(packed)}\n")
    _, top = world.take("locked.txt").wheels
    assert (top.source.kind, top.direct, top.source.digest) == ("archive", True, Digest.of_file(packed))


def test_a_version_that_its_source_does_not_make_is_said(world, source_of, git_repository, heard):
    commit = git_repository.commit(source_of("theirs", "3.0"))
    (world.root / "pyproject.toml").unlink()
    source = {"type": "git", "url": git_repository.root.as_uri(), "resolved_reference": commit}
    row = {"name": "theirs", "version": "1.0", "optional": False, "python-versions": "*"}
    document = {
        "package": [{**row, "groups": ["main"], "files": [], "source": source}],
        "metadata": {"lock-version": "2.1", "python-versions": "*", "content-hash": "0"},
    }
    world.write("poetry.lock", tomli_w.dumps(document))
    (theirs,) = world.take("poetry.lock", progress=heard).wheels
    assert theirs.version == "3.0"
    assert heard.warnings == ["theirs: poetry.lock says version 1.0; what it locks makes 3.0"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("theirs @ git+https://me:word@host.example/r@v1", "not locked to a commit"),
        (f"git+https://host.example/r@{COMMIT}", "line 1 does not name it"),
        (f"-e hg+https://host.example/r@{COMMIT}#egg=theirs", "only git repositories are read"),
        ("-e ../outside", "outside the project"),
        ("./nothing", "that is not there"),
        ("https://host.example/top-1.0.tar.gz", "without its name (line 1)"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(world, line, words):
    (world.root / "pyproject.toml").unlink()
    world.write("locked.txt", f"{line}\n")
    with pytest.raises(ResolutionError, match=r"1 package of locked\.txt cannot be taken") as caught:
        world.take("locked.txt")
    (detail,) = caught.value.details
    assert words in detail
    assert "word" not in detail


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (f"git+https://u:p@host.example/r@{COMMIT}#egg=a&subdirectory=s", ("https://host.example/r", "s")),
        (f"git+ssh://git:p@host.example/r@{COMMIT}", ("ssh://git@host.example/r", None)),
        (f"git+https://host.example/r?rev=main&subdirectory=s#{COMMIT}", ("https://host.example/r", "s")),
    ],
)  # fmt: skip
def test_a_repository_is_read_as_its_tool_writes_it(written, expected):
    tree = trees.of_requirement(written)
    assert (tree.place, tree.subdirectory) == expected
    assert (tree.commit, tree.problem) == (COMMIT, None)


def test_poetry_s_short_ssh_address_is_read():
    tree = trees.of_repository("git@host.example:team/r.git", COMMIT)
    assert tree.place == "ssh://git@host.example/team/r.git"


def test_a_subdirectory_stays_in_its_repository():
    tree = trees.of_repository("https://host.example/r", COMMIT, subdirectory="../../etc")
    assert tree.problem == "'../../etc' leads out of it"


def test_pixi_s_commits_are_read():
    text = (
        "version: 6\nenvironments:\n  default:\n    channels: []\n    packages:\n      linux-64:\n"
        f"      - pypi: git+https://host.example/r?rev=main#{COMMIT}\n"
        f"packages:\n- pypi: git+https://host.example/r?rev=main#{COMMIT}\n  name: theirs\n  version: '1'\n"
    )
    (package,) = found.parse(text.encode(), "pixi.lock").packages
    assert (package.tree.place, package.tree.commit) == ("https://host.example/r", COMMIT)
    assert package.tree.revision == "main"
