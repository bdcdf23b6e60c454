"""Every file that the resolution reads is an input of the project."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.project.load import CONFIGURATION, load


def files(folder):
    return {name: content for name, content in folder.load().inputs.items() if name != CONFIGURATION}


def test_includes_are_followed_from_the_folder_of_the_including_file(folder):
    folder.write("requirements.txt", "-r requirements/base.txt\ntorch\n")
    folder.write("requirements/base.txt", "-r more/a.in\n-c ../limits.txt\n")
    folder.write("requirements/more/a.in", "numpy\n")
    folder.write("limits.txt", "numpy<3\n")
    folder.write("unrelated.txt", "x\n")
    assert files(folder) == {
        "requirements.txt": b"-r requirements/base.txt\ntorch\n",
        "requirements/base.txt": b"-r more/a.in\n-c ../limits.txt\n",
        "requirements/more/a.in": b"numpy\n",
        "limits.txt": b"numpy<3\n",
    }


def test_constraints_are_followed_too(configured):
    folder = configured('[pip]\nconstraints = ["limits.txt"]\n')
    folder.write("limits.txt", "-c more.txt\n")
    folder.write("more.txt", "numpy<3\n")
    assert set(files(folder)) == {"requirements.txt", "limits.txt", "more.txt"}


def test_files_that_include_each_other_are_read_once(folder):
    folder.write("requirements.txt", "-r a.txt\n-r requirements.txt\n")
    folder.write("a.txt", "-r requirements.txt\n-c a.txt\n")
    assert set(files(folder)) == {"requirements.txt", "a.txt"}


def test_folders_that_link_in_circles_come_to_an_end(folder):
    folder.write("requirements.txt", "-r sub/a.txt\n")
    folder.write("sub/a.txt", "-r again/a.txt\n")
    (folder.root / "sub/again").symlink_to(".")
    assert set(files(folder)) == {"requirements.txt", "sub/a.txt"}


def test_a_linked_file_is_an_input_under_its_own_name(folder):
    folder.write("requirements/base.txt", "numpy\n")
    (folder.root / "requirements.txt").symlink_to("requirements/base.txt")
    assert files(folder) == {"requirements.txt": b"numpy\n"}


def test_a_missing_file_is_told_with_who_includes_it(folder):
    folder.write("requirements.txt", "-r sub/a.txt\n")
    folder.write("sub/a.txt", "numpy\n\n-c gone.txt\n")
    assert folder.refused().message == "sub/a.txt, line 3: -c gone.txt does not exist"


def test_a_missing_requirements_file_is_told_with_its_key(configured):
    error = configured('[pip]\nrequirements = ["requirements.txt", "gone.in"]\n').refused()
    assert error.message == "envfreeze.toml: pip.requirements[1] 'gone.in' does not exist"


def test_a_default_file_that_is_a_folder(folder):
    (folder.root / "requirements.txt").mkdir()
    assert folder.refused().message == "requirements.txt is not a file"


@pytest.mark.parametrize(
    "path", ["../outside.txt", "sub/../../outside.txt", "link.txt", "../demo/../outside.txt"]
)
def test_what_leads_out_of_the_project_is_refused(folder, tmp_path, path):
    (tmp_path / "outside.txt").write_text("numpy\n")
    folder.write("sub/x")
    (folder.root / "link.txt").symlink_to("../outside.txt")
    folder.write("requirements.txt", f"-r {path}\n")
    assert folder.refused().message == f"requirements.txt, line 1: -r {path} leads out of the project"


def test_out_and_back_in_is_refused(folder):
    folder.write("a.txt")
    folder.write("requirements.txt", "-r ../demo/a.txt\n")
    assert "leads out of the project" in folder.refused().message


def test_back_over_a_link_is_refused(folder):
    # As text `link/../a.txt` is a.txt, on disk it is deep/a.txt.
    folder.write("a.txt", "one\n")
    folder.write("deep/a.txt", "other\n")
    folder.write("deep/er/x")
    (folder.root / "link").symlink_to("deep/er")
    folder.write("requirements.txt", "-r link/../a.txt\n")
    assert "goes back over a symbolic link" in folder.refused().message


@pytest.mark.parametrize("path", ["circle.txt", "requirements.txt/x", "x" * 300, "a\0b"])
def test_what_cannot_be_followed(folder, path):
    (folder.root / "circle.txt").symlink_to("circle.txt")
    folder.write("requirements.txt", f"-r {path}\n")
    assert "cannot be followed" in folder.refused().message


_NAMES = ("requirements.txt", "a.txt", "b/c.txt", "b/d e.txt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    graph=st.fixed_dictionaries(
        {name: st.sets(st.tuples(st.sampled_from(["-r", "-c"]), st.sampled_from(_NAMES))) for name in _NAMES}
    )
)
def test_the_inputs_are_what_can_be_reached(folder, graph):
    """`graph`: what each file includes; any graph of files is read to its end, and nothing else is."""
    for name, edges in graph.items():
        up = "../" if "/" in name else ""
        folder.write(name, "".join(f"{option} '{up}{other}'\n" for option, other in sorted(edges)))
    reached, waiting = set(), ["requirements.txt"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [other for _, other in graph[name]]
    assert set(load(folder.root).inputs) - {CONFIGURATION} == reached
