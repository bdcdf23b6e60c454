"""`gpu show`, `gpu update` and `gpu reset` on the command line, from files and over HTTP."""

from __future__ import annotations

import io
import json
import tarfile
from hashlib import sha256

import pytest

from envfreeze.cli.main import main
from envfreeze.gpu import tables
from envfreeze.gpu.tables import FILES, MANIFEST


@pytest.fixture
def run(capsys):
    def command(*arguments):
        code = main(("gpu", *arguments))
        written = capsys.readouterr()
        return code, written.out, written.err

    return command


@pytest.fixture
def packed():
    """A set of a later day as an archive."""
    own = tables.load()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in (MANIFEST, *FILES):
            content = (own.folder / name).read_bytes().replace(own.version.encode(), b"2027-03-01")
            info = tarfile.TarInfo(f"tables/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def test_the_whole_way_from_a_file(run, packed, tmp_path):
    path = tmp_path / "tables.tar.gz"
    path.write_bytes(packed)
    code, out, err = run("update", "--from", str(path))
    assert (code, out.split(",")[0]) == (0, "updated: tables of 2027-03-01"), err
    assert sha256(packed).hexdigest() in err
    assert run("update", "--from", str(path))[1].startswith("unchanged: ")
    _, out, _ = run("show", "--json")
    shown = json.loads(out)
    assert (shown["version"], shown["source"], shown["passed_over"]) == ("2027-03-01", str(path), None)
    lines = run("show")[1].splitlines()
    assert lines[:3] == ["tables of 2027-03-01", shown["digest"], f"from {path}"]
    assert run("reset")[1] == "reset\n"
    assert run("reset")[1] == "unchanged\n"
    assert run("show")[1].splitlines()[2] == "from envfreeze itself"


def test_over_http_credentials_are_used_and_kept_nowhere(run, packed, site, isolated):
    site.files["/tables/cuda.tar.gz"] = packed
    site.credentials["/tables/"] = "ada:geheim"
    url = f"http://ada:geheim@{site.address}/tables/cuda.tar.gz"
    digest = sha256(packed).hexdigest()
    code, out, err = run("update", "--from", url, "--sha256", digest, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["result"], found["file"]) == ("updated", f"sha256:{digest}")
    kept = [path.read_bytes() for path in isolated.rglob("*") if path.is_file()]
    assert not any(b"geheim" in content for content in [*kept, out.encode(), err.encode()])
    assert found["source"].endswith(f"{site.address}/tables/cuda.tar.gz")


def test_without_https_or_a_hash_a_warning_is_given(run, packed, site):
    site.files["/cuda.tar.gz"] = packed
    _, _, err = run("update", "--from", f"{site.url}/cuda.tar.gz")
    assert "warning:" in err
    assert "--sha256" in err


def test_the_tables_own_hash_may_be_named_too(run, packed, tmp_path):
    path = tmp_path / "t.tar.gz"
    path.write_bytes(packed)
    digest = json.loads(run("update", "--from", str(path), "--json")[1])["digest"]
    run("reset")
    assert run("update", "--from", str(path), "--sha256", digest)[0] == 0


def test_another_hash_is_refused_and_changes_nothing(run, packed, tmp_path):
    path = tmp_path / "t.tar.gz"
    path.write_bytes(packed)
    code, out, err = run("update", "--from", str(path), "--sha256", "0" * 64)
    assert (code, out) == (6, "")
    assert "is not what --sha256 names" in err
    assert json.loads(run("show", "--json")[1])["source"] is None


@pytest.mark.parametrize(
    ("source", "code", "says"),
    [
        ("nowhere.tar.gz", 2, "there is no nowhere.tar.gz"),
        (".", 2, "holds no set of tables"),
        ("notes.txt", 2, "neither an archive of tables nor one of them"),
        ("gpu_compute_capability.csv", 6, "gpu_compute_capability.csv"),
        ("file:///nowhere/at/all.tar.gz", 4, "could not be fetched"),
        ("ftp://example.org/t.tar.gz", 2, "there is no ftp:"),
    ],
)
def test_what_is_no_set_of_tables_is_refused(run, tmp_path, monkeypatch, source, code, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "gpu_compute_capability.csv").write_text("a,b\n1\n")
    ended = run("update", "--from", source)
    assert ended[0] == code, ended[2]
    assert says in ended[2]
    assert ended[1] == ""


def test_a_server_that_sends_too_much_or_nothing_is_refused(run, site, monkeypatch):
    monkeypatch.setattr("envfreeze.gpu.published.LARGEST", 1000)
    site.files["/big.tar.gz"] = bytes(5000)
    code, _, err = run("update", "--from", f"{site.url}/big.tar.gz", "--sha256", "0" * 64)
    assert code == 4, err
    assert "larger than" in err
    assert run("update", "--from", f"{site.url}/none.tar.gz", "--sha256", "0" * 64)[0] == 4


def test_older_tables_are_taken_with_a_warning(run, packed, tmp_path):
    (tmp_path / "t.tar.gz").write_bytes(packed)
    run("update", "--from", str(tmp_path / "t.tar.gz"))
    code, out, err = run("update", "--from", str(tables.load().folder))
    assert (code, out.split(":")[0]) == (0, "updated")
    assert "those before were of 2027-03-01" in err
