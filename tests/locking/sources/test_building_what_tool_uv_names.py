"""`[tool.uv.sources]` names what has no wheel: a folder, a commit. From pyproject.toml to built wheels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.locking import pip
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform
from envfreeze.project.load import load

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Repository, SourceOf

    from envfreeze.store.cache import Cache

AMD64 = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")


def test_a_folder_and_a_commit_are_built(
    tmp_path: Path, source_of: SourceOf, git_repository: Repository, cache: Cache
) -> None:
    commit = git_repository.commit(source_of("theirs"))
    root = tmp_path / "project"
    for name, text in source_of("ours").items():
        (root / "ours" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "ours" / name).write_text(text)
    (root / "pyproject.toml").write_text(
        '[project]\nname = "app"\nversion = "1"\ndependencies = ["ours", "theirs"]\n'
        '[tool.uv.sources]\nours = { path = "ours" }\n'
        f'theirs = {{ git = "{git_repository.root.as_uri()}", rev = "{commit}" }}\n'
    )
    project = load(root)
    assert "<folder ours>" in project.inputs
    ours, theirs = pip.resolve(project, AMD64, cache=cache)
    assert ours.source is not None
    assert (ours.name, ours.source.kind, ours.source.url) == ("ours", "directory", "ours")
    assert theirs.source is not None
    assert (theirs.name, theirs.source.kind, theirs.source.commit) == ("theirs", "git", commit)
    assert ours.requested
    assert theirs.requested
