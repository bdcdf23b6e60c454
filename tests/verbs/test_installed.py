"""What is installed in an image against a lock: each kind of difference found and named, and nothing else."""

from __future__ import annotations

import gzip
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from envfreeze.cli.main import main
from envfreeze.locking import files as lock_files
from envfreeze.oci import layout
from envfreeze.project.load import load
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache
from envfreeze.verbs.build import build
from envfreeze.verbs.installed import verify_installed

SITE = "opt/venv/lib/python3.13/site-packages"
HOST = f"{sys.version_info.major}.{sys.version_info.minor}"


def built(work, **options):
    with Cache.open(work.cache) as cache:
        build(load(work.root), cache=cache, record=False, **options)
    return layout.read(work.root / ".envfreeze/image")


@pytest.fixture
def native(project):
    """The image of the small project, as the native engine makes it."""
    return built(project)


def held(work, image=None, **arguments):
    where = image or work.root / ".envfreeze/image"
    with Cache.open(work.cache) as cache:
        outcome = verify_installed(str(where), root=work.root, cache=cache, **arguments)
    return outcome.verdict


@pytest.fixture
def found(project, native, patched):
    """`found({path: change})`: level, and of each finding kind, package, path and cause."""

    def look(changes, **arguments):
        verdict = held(project, patched(native, changes), **arguments)
        return verdict.level.value, [
            (one.kind.value, one.level.value, one.package, one.path, one.cause.name)
            for one in verdict.findings
        ]

    return look


def info(path, *, mode=0o644, kind=tarfile.REGTYPE, link="", uid=0):
    made = tarfile.TarInfo(path)
    made.mode, made.type, made.linkname, made.uid = mode, kind, link, uid
    return made


def test_a_native_image_is_exactly_what_the_lock_says(project, native):
    verdict = held(project)
    assert (verdict.level.value, verdict.findings) == ("tree", ())
    assert verdict.rebuilt == native.digest


def dist(name, version, **members):
    folder = f"{SITE}/{name}-{version}.dist-info"
    rows = "".join(f"{name}/{path},,\n" for path in members)
    return {
        f"{folder}/METADATA": f"Name: {name}\nVersion: {version}\n".encode(),
        f"{folder}/RECORD": f"{rows}{name}-{version}.dist-info/RECORD,,\n".encode(),
        **{f"{SITE}/{name}/{path}": content for path, content in members.items()},
    }


BETA, GAMMA, ALPHA = f"{SITE}/beta/__init__.py", f"{SITE}/gamma/1.py", "opt/venv/bin/alpha"
SOUND = b"x = 1\n" * 50
COMMAND = (
    "#!/opt/venv/bin/python\nimport sys\nfrom alpha import main\n"
    'if __name__ == "__main__":\n    sys.exit(main())\n'
)
PIPS = COMMAND.replace("python\n", "python3\n# -*- coding: utf-8 -*-\nimport re\n").replace(
    "    sys.exit", "    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n    sys.exit"
)
UTC = "usr/share/zoneinfo/UTC"
FURTHER, EVIL = f"{SITE}/gamma/further.py", f"{SITE}/gamma/__pycache__/evil.cpython-313.pyc"
PYC, NOTE = f"{SITE}/gamma/__pycache__/1.cpython-313.pyc", f"{SITE}/gamma-1.0.dist-info/direct_url.json"
PYTHON, LOCAL = "opt/venv/bin/python3", "usr/local/lib/python3.13/dist-packages/x.pth"


def link_to(path, target):
    return info(path, kind=tarfile.SYMTYPE, link=target), b""


CASES = {
    "one byte in a wheel's file": (
        {BETA: b"Version = '1.0'\n" * 20},
        ("content", "different", "beta", BETA, "tampering"),
    ),
    "a file of a wheel is gone": ({GAMMA: None}, ("removed", "different", "gamma", GAMMA, "not-installed")),
    "a file was put into a package": (
        {FURTHER: b"import os\n"},
        ("added", "different", "gamma", FURTHER, "changed-after-install"),
    ),
    "bytecode of no module": (
        {EVIL: b"\0"},
        ("added", "different", "gamma", EVIL, "changed-after-install"),
    ),
    "bytecode": (
        {f"{SITE}/gamma/__pycache__/1.cpython-313.pyc": b"\0"},
        ("added", "packages", "gamma", f"{SITE}/gamma/__pycache__/1.cpython-313.pyc", "bytecode"),
    ),
    "a distribution that is not in the lock": (
        dist("Left_Pad", "2.0", **{"__init__.py": b"", "a.py": b""}),
        ("package-added", "different", "left-pad", None, "floating-package"),
    ),
    "a distribution in another version": (
        {**dist("beta", "1.1", **{"__init__.py": b"1.1", "new.py": b""}), f"{SITE}/beta-1.0.dist-info": None},
        ("package-version", "different", "beta", None, "floating-package"),
    ),
    "a distribution that is gone": (
        {f"{SITE}/beta": None, f"{SITE}/beta-1.0.dist-info": None},
        ("package-removed", "different", "beta", None, "not-installed"),
    ),
    "another umask": (
        {GAMMA: (info(GAMMA, mode=0o600), SOUND)},
        ("mode", "packages", "gamma", GAMMA, "permissions"),
    ),
    "a set-id bit": (
        {GAMMA: (info(GAMMA, mode=0o4644), SOUND)},
        ("mode", "different", "gamma", GAMMA, "changed-after-install"),
    ),
    "a command that cannot be run": (
        {ALPHA: (info(ALPHA, mode=0o644), COMMAND.encode())},
        ("mode", "different", "alpha", ALPHA, "changed-after-install"),
    ),
    "a file that all may write": (
        {GAMMA: (info(GAMMA, mode=0o666), SOUND)},
        ("mode", "different", "gamma", GAMMA, "changed-after-install"),
    ),
    "another owner": (
        {GAMMA: (info(GAMMA, uid=1000), SOUND)},
        ("owner", "packages", "gamma", GAMMA, "ownership"),
    ),
    "a link in place of a file": (
        {GAMMA: (info(GAMMA, kind=tarfile.SYMTYPE, link="/srv/1.py"), b"")},
        ("type", "different", "gamma", GAMMA, "changed-after-install"),
    ),
    "a command by another installer": (
        {ALPHA: (info(ALPHA, mode=0o755), PIPS.encode())},
        ("content", "packages", "alpha", ALPHA, "launcher"),
    ),
    "a command that does more": (
        {ALPHA: (info(ALPHA, mode=0o755), PIPS.replace("import re\n", "import re, os\n").encode())},
        ("content", "different", "alpha", ALPHA, "tampering"),
    ),
    "the interpreter is a program": (
        {"opt/venv/bin/python": (info("opt/venv/bin/python", mode=0o755), b"\x7fELF")},
        ("type", "different", None, "opt/venv/bin/python", "changed-after-install"),
    ),
    "a file of a deb": ({UTC: b"TZif3"}, ("content", "different", "tzdata", UTC, "changed-after-install")),
    "a file of a deb is gone": ({UTC: None}, ("removed", "different", "tzdata", UTC, "not-installed")),
    "what the packages' scripts set up": (
        {"etc/timezone": b"Europe/Berlin\n"},
        ("content", "packages", None, "etc/timezone", "maintainer-scripts"),
    ),
    "dpkg's notes": (
        {"var/lib/dpkg/info/tzdata.list": b"/.\n"},
        ("content", "packages", "tzdata", "var/lib/dpkg/info/tzdata.list", "dpkg-database"),
    ),
    "residue": (
        {"var/lib/apt/lists/lock": b""},
        ("added", "packages", None, "var/lib/apt/lists/lock", "apt-residue"),
    ),
    "a file of the project": (
        {"app/train.py": b"print('other')\n"},
        ("content", "different", None, "app/train.py", "project-files"),
    ),
    "a set-id program of nobody's": (
        {"srv/su": (info("srv/su", mode=0o4755), b"x")},
        ("added", "different", None, "srv/su", "changed-after-install"),
    ),
    "what is loaded into every program": (
        {"etc/ld.so.preload": b"/srv/x.so\n"},
        ("added", "different", None, "etc/ld.so.preload", "changed-after-install"),
    ),
    "bytecode with a set-id bit": (
        {PYC: (info(PYC, mode=0o4755), b"x")},
        ("added", "different", "gamma", PYC, "changed-after-install"),
    ),
    "an installer's note with a set-id bit": (
        {NOTE: (info(NOTE, mode=0o4755), b"x")},
        ("added", "different", "gamma", NOTE, "changed-after-install"),
    ),
    "what Python imports from before all else": (
        {"usr/lib/python313.zip": b"PK"},
        ("added", "different", None, "usr/lib/python313.zip", "changed-after-install"),
    ),
    "a module where Debian's Python looks": (
        {LOCAL: b"import os\n"},
        ("added", "different", None, LOCAL, "changed-after-install"),
    ),
    "a file through a link": (
        {f"{PYTHON}/x": b"x"},
        ("added", "different", None, f"{PYTHON}/x", "changed-after-install"),
    ),
    "settings beside the interpreter": (
        {"opt/venv/bin/pyvenv.cfg": b"home = /srv\n"},
        ("added", "different", None, "opt/venv/bin/pyvenv.cfg", "changed-after-install"),
    ),
    "a folder of modules that all may write in": (
        {f"{SITE}/gamma": (info(f"{SITE}/gamma", mode=0o777, kind=tarfile.DIRTYPE), b"")},
        ("added", "different", None, f"{SITE}/gamma", "changed-after-install"),
    ),
    "what nobody owns": (
        {"srv/data/a/b/1": b"1", "srv/data/a/b/2": b"2"},
        ("unowned", "packages", None, "srv/data/a", "unowned"),
    ),
}


def test_each_change_is_found_and_named_and_nothing_else(found):
    for what, (changes, expected) in CASES.items():
        assert found(changes) == (expected[1], [expected]), what


def test_what_changed_inside_a_package_s_file_is_shown(project, native, patched):
    changes = {BETA: (b"version = '1.0'\n" * 20).replace(b"1.0", b"6.6", 1), UTC: b"TZif3"}
    first, second = held(project, patched(native, changes)).findings
    assert {"-version = '1.0'", "+version = '6.6'"} <= {*first.details, *second.details}
    assert any("TZif3" in line for line in (*first.details, *second.details))


def test_a_module_beside_the_packages_is_no_package_s(found):
    path = f"{SITE}/sitecustomize.py"
    level, (finding,) = found({path: b"import os\n"})
    assert (level, finding[:2], finding[3]) == ("different", ("added", "different"), path)


def test_a_folder_that_a_link_replaces_in_the_layer_that_fills_it(found):
    path = "opt/venv/bin"
    level, findings = found(
        {ALPHA: (info(ALPHA, mode=0o755), COMMAND.encode()), path: link_to(path, "/srv/other")}
    )
    assert level == "different"
    assert [one for one in findings if one[1] == "different"] == [
        ("added", "different", None, path, "changed-after-install")
    ]


def test_links_of_the_environment_to_nobody_s_program(found):
    changes = {PYTHON: link_to(PYTHON, "../../../srv/a"), "srv/a": link_to("srv/a", "b"), "srv/b": b"x"}
    level, findings = found(changes)
    assert level == "different"
    assert findings[0] == ("link", "different", None, PYTHON, "changed-after-install")
    loop = {PYTHON: link_to(PYTHON, "/srv/a"), "srv/a": link_to("srv/a", "a")}
    assert found(loop)[1][0] == ("link", "packages", None, PYTHON, "other-environment")


def test_settings_that_take_python_s_library_from_nobody_s_folder(found):
    path, library = "opt/venv/pyvenv.cfg", "srv/lib/python3.13/os.py"
    level, findings = found({path: b"home = /srv/any/bin\n", library: b"x"})
    assert (level, findings[0]) == (
        "different",
        ("content", "different", None, path, "changed-after-install"),
    )
    level, findings = found({path: b"home = /usr/bin\nuv = 0.9\n", library: b"x"})
    assert (level, findings[0]) == ("packages", ("content", "packages", None, path, "other-environment"))


def test_a_command_that_nobody_s_interpreter_runs(found):
    other = "opt/venv/bin/python3.99"
    changes = {
        ALPHA: (info(ALPHA, mode=0o755), PIPS.replace("python3\n", "python3.99\n").encode()),
        other: (info(other, mode=0o755), b"x"),
    }
    level, findings = found(changes)
    assert level == "different"
    assert ("content", "different", "alpha", ALPHA, "tampering") in findings


def test_a_package_in_another_version_is_told_once_with_its_files(project, native, patched):
    changes, _ = CASES["a distribution in another version"]
    (finding,) = held(project, patched(native, changes)).findings
    assert finding.what == f"Python package in {SITE}: 1.0 -> 1.1; files: 5 missing, 1 changed, 3 further"


def test_what_is_tolerated_is_told_once_for_each_package_and_cause(project, native, patched):
    changes = {f"{SITE}/gamma/__pycache__/{number}.cpython-313.pyc": b"\0" for number in range(20)}
    (finding,) = held(project, patched(native, changes)).findings
    assert finding.what == "none -> file, 1 bytes, and 19 more like it"


def test_packages_that_overwrite_each_other_do_so_in_the_order_of_the_layers(small_project, tools, patched):
    work = small_project()
    names = ["delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
    made = {name: tools.wheel_of(name, contents={"shared/x.py": f"# {name}\n".encode()}) for name in names}
    deb = tools.deb_of("further", "1", {"./etc/debian_version": b"other\n"})
    work.lock(
        wheels=[work.site.add_wheel(name, content) for name, content in made.items()],
        debs=[work.site.add_deb("further", deb)],
    )
    image = built(work)
    verdict = held(work)
    assert (verdict.level.value, verdict.findings) == ("tree", ())
    (finding,) = held(work, patched(image, {f"{SITE}/shared/x.py": b"# nobody\n"})).findings
    assert finding.package in names


def status_of(work, change):
    image = layout.read(work.root / ".envfreeze/image")
    for layer in image.layers:
        with layer.open() as blob, tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read()))) as tar:
            for member in tar:
                if member.name == "var/lib/dpkg/status":
                    return change(tar.extractfile(member).read().decode()).encode()
    raise AssertionError


def test_debs_in_another_version_further_and_gone(found, project):
    path = "var/lib/dpkg/status"
    other = status_of(project, lambda text: text.replace("2026a-1", "2026b-1"))
    level, findings = found({path: other})
    assert level == "different"
    assert findings[0] == ("package-version", "different", "tzdata", None, "floating-package")
    assert findings[1][4] == "dpkg-database"
    stanza = "\nPackage: netcat\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n"
    level, findings = found({path: status_of(project, lambda text: text.rstrip("\n") + "\n" + stanza)})
    assert findings[0] == ("package-added", "different", "netcat", None, "floating-package")
    gone = status_of(
        project, lambda text: "\n\n".join(one for one in text.split("\n\n") if "tzdata" not in one)
    )
    level, findings = found({path: gone})
    assert findings[0] == ("package-removed", "different", "tzdata", None, "not-installed")


def test_a_configuration_file_may_be_changed(small_project, patched, tools):
    work = small_project()
    content, stanza = tools.deb_of("conf", "1", {"./etc/conf.ini": b"a = 1\n", "./usr/share/conf": b"x"})
    work.lock(debs=[work.site.add_deb("conf", (with_conffiles(content), stanza))])
    image = built(work)
    assert held(work).level.value == "tree"
    (finding,) = held(work, patched(image, {"etc/conf.ini": b"a = 2\n"})).findings
    assert (finding.kind.value, finding.level.value, finding.package, finding.cause.name) == (
        "content",
        "packages",
        "conf",
        "configuration-file",
    )


def with_conffiles(deb):
    """Put `conffiles` into the control.tar of a .deb."""
    out, at = deb[:8], 8
    while at < len(deb):
        name, size = deb[at : at + 16].decode().strip(), int(deb[at + 48 : at + 58])
        data = deb[at + 60 : at + 60 + size]
        at += 60 + size + size % 2
        if name == "control.tar":
            buffer = io.BytesIO(data)
            with tarfile.open(fileobj=buffer, mode="a") as tar:
                text = b"/etc/conf.ini\n"
                member = tarfile.TarInfo("./conffiles")
                member.size = len(text)
                tar.addfile(member, io.BytesIO(text))
            data = buffer.getvalue()
        out += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode()
        out += data + b"\n" * (len(data) % 2)
    return out


def test_documentation_may_be_left_out(small_project, patched, tools):
    work = small_project()
    made = tools.deb_of("docs", "1", {"./usr/share/doc/docs/README": b"x", "./usr/share/docs": b"x"})
    work.lock(debs=[work.site.add_deb("docs", made)])
    image = built(work)
    (finding,) = held(work, patched(image, {"usr/share/doc/docs/README": None})).findings
    assert (finding.level.value, finding.cause.name) == ("packages", "left-out")


def test_project_files_that_are_not_there_are_not_compared(project, native, patched):
    (project.root / "train.py").unlink()
    (finding,) = held(project, patched(native, {})).findings
    assert (finding.kind.value, finding.path) == ("unowned", "app")


def test_what_nobody_owns_is_counted_by_folder(project, native, patched):
    changes = {f"srv/data/a/b/{number}": b"12345" for number in range(7)} | {"run.sh": b"#!/bin/sh\n"}
    findings = held(project, patched(native, changes)).findings
    assert [(one.path, one.what) for one in findings] == [
        ("srv/data/a", "7 files, 35 bytes"),
        ("/", "1 file, 10 bytes"),
    ]


def test_an_artifact_that_is_gone_keeps_nothing_else_from_being_compared(project, native, patched):
    del project.site.files["/wheels/beta-1.0-py3-none-any.whl"]
    shutil.rmtree(project.cache)
    verdict = held(project)
    assert verdict.level.value == "different"
    assert [(one.kind.value, one.package, one.cause.name) for one in verdict.findings] == [
        ("unchecked", "beta", "artifact-gone")
    ]
    path = f"{SITE}/beta/__init__.py"
    findings = held(project, patched(native, {path: b"version = 2\n"}), offline=True).findings
    assert [(one.kind.value, one.package, one.cause.name) for one in findings] == [
        ("unchecked", "beta", "artifact-gone"),
        ("content", "beta", "tampering"),
    ]


def test_files_of_a_deb_that_is_gone_are_held_against_dpkg_s_list(project, native, patched):
    shutil.rmtree(project.cache)
    image = patched(native, {UTC: b"TZif3"})
    (finding,) = (one for one in held(project, image, offline=True).findings if one.path == UTC)
    assert (finding.package, finding.kind.value, finding.cause.name) == ("tzdata", "content", "tampering")


@pytest.mark.usefixtures("native")
def test_nothing_is_fetched_offline(project):
    shutil.rmtree(project.cache)
    asked = project.site.asked.copy()
    verdict = held(project, offline=True)
    assert project.site.asked == asked
    assert {one.kind.value for one in verdict.findings} == {"unchecked", "unowned", "added"}
    told = {one.package: one.what for one in verdict.findings if one.kind.value == "unchecked"}
    assert "gamma-1.0-py3-none-any.whl is not in the cache" in told["gamma"]


@pytest.mark.usefixtures("native")
def test_a_server_that_does_not_answer_is_asked_once_for_each_kind(project, monkeypatch):
    monkeypatch.setattr("envfreeze.store.retry.Retry.delay", lambda *_, **__: None)
    shutil.rmtree(project.cache)
    for path in list(project.site.files):
        if path.startswith("/wheels/"):
            project.site.cut[path] = 10
    verdict = held(project)
    assert [one.package for one in verdict.findings if one.kind.value == "unchecked"] == [
        "alpha",
        "beta",
        "gamma",
    ]


# ------------------------------------------------------------------------------------- other installers


def of_host(work):
    """The small project locked for the Python of this machine, so that its installers can be run."""
    lock = work.lock()
    targets = tuple(replace(one, python=sys.version.split()[0]) for one in lock.targets)
    lock_files.write(replace(lock, targets=targets), work.root)
    return built(work)


def tree_of(folder):
    """All files of a folder as changes, as they would be had they been installed at the root."""
    changes = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        mode = path.lstat().st_mode & 0o7777
        if path.is_symlink():
            target = str(path.readlink())
            changes[name] = (info(name, kind=tarfile.SYMTYPE, link=target), b"")
        elif path.is_file():
            content = path.read_bytes().replace(str(folder).encode(), b"")
            changes[name] = (info(name, mode=mode), content)
    return changes


def with_pip(work, venv):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    command = [sys.executable, "-m", "pip", "--python", venv, "install", "--quiet", "--no-cache-dir"]
    index = ["--isolated", "--disable-pip-version-check", "--index-url", f"{work.site.url}/simple/"]
    subprocess.run([*command, *index, "alpha", "gamma"], check=True)


def with_uv(work, venv):
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--offline", "--python", sys.executable, venv], check=True)
    command = [uv, "pip", "install", "--quiet", "--no-cache", "--no-config", "--compile-bytecode"]
    index = ["--default-index", f"{work.site.url}/simple/", "--python", venv / "bin/python"]
    subprocess.run([*command, *index, "alpha", "gamma"], check=True)


@pytest.mark.parametrize("install", [with_pip, with_uv])
def test_what_another_installer_installed_is_clean_but_for_what_is_tolerated(
    small_project, patched, tmp_path, install
):
    work = small_project()
    image = of_host(work)
    tree = tmp_path / "tree"
    install(work, tree / "opt/venv")
    changes = tree_of(tree)
    environment = {"environment", "wheel", "wheels"}
    without = {"keep": lambda name: name.split("-")[0] not in environment}
    verdict = held(work, patched(image, changes, **without))
    assert verdict.level.value == "packages", verdict.findings
    causes = {one.cause.name for one in verdict.findings}
    assert causes == {"bytecode", "installer-metadata", "launcher", "other-environment", "unowned"}
    path = f"opt/venv/lib/python{HOST}/site-packages/gamma/1.py"
    verdict = held(work, patched(image, {**changes, path: b"x = 2\n"}, **without))
    (grave,) = (one for one in verdict.findings if one.level.value == "different")
    assert (grave.path, grave.package, grave.cause.name) == (path, "gamma", "tampering")


def test_an_environment_in_another_place_is_found_there(small_project, patched, tmp_path):
    work = small_project()
    image = of_host(work)
    tree = tmp_path / "tree"
    with_uv(work, tree / "srv/env")
    without = {"keep": lambda name: name.split("-")[0] not in {"environment", "wheel", "wheels"}}
    verdict = held(work, patched(image, tree_of(tree), **without))
    assert verdict.level.value == "packages", verdict.findings
    assert (
        verdict.findings[0].what
        == f"/opt/venv/lib/python{HOST}/site-packages -> /srv/env/lib/python{HOST}/site-packages"
    )


def test_what_pip_puts_beside_debian_s_own_python_is_found_there(small_project, patched, tmp_path):
    work = small_project()
    image = of_host(work)
    tree = tmp_path / "tree"
    with_uv(work, tree / "opt/venv")
    modules = f"opt/venv/lib/python{HOST}/site-packages/"
    changes = {}
    for path, (member, content) in tree_of(tree).items():
        if path.startswith(modules):
            place = f"usr/local/lib/python{HOST}/dist-packages/{path.removeprefix(modules)}"
        elif path == "opt/venv/bin/alpha":
            place = "usr/local/bin/alpha"
        else:
            continue
        member.name = place
        changes[place] = member, re.sub(rb"/opt/venv/bin/python3?", b"/usr/bin/python3", content)
    without = {"keep": lambda name: name.split("-")[0] not in {"environment", "wheel", "wheels"}}
    verdict = held(work, patched(image, changes, **without))
    assert verdict.level.value == "packages", verdict.findings
    assert verdict.findings[0].what.endswith(f" -> /usr/local/lib/python{HOST}/dist-packages")
    place = f"usr/local/lib/python{HOST}/dist-packages/evil.py"
    verdict = held(work, patched(image, {**changes, place: b""}, **without))
    assert [one.path for one in verdict.findings if one.level.value == "different"] == [place]


# ------------------------------------------------------------------------------------------ the command


def test_the_command_finds_the_record_s_lock_the_named_one_and_the_folder_s(project, capsys, monkeypatch):
    monkeypatch.setenv("ENVFREEZE_CACHE", str(project.cache))
    with Cache.open(project.cache) as cache:
        digest = build(load(project.root), cache=cache).digest
    project.lock(wheels=[])
    root = str(project.root)
    assert main(["verify", "--installed", "-C", root, str(digest), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["installed"], document["wanted"]) == ("tree", True, "packages")
    assert document["record"]["digest"] == str(digest)
    assert document["names"] == {"reference": "envfreeze.lock", "rebuilt": str(digest)}
    assert main(["verify", "--installed", "-C", root, str(digest), "--lock", root]) == 1
    printed = capsys.readouterr()
    assert printed.out == "different\n"
    assert "package-added" in printed.err
    assert "nothing built: 3 differ, 0 tolerated" in printed.err
    records = project.git("notes", "--ref", "envfreeze", "show")
    assert len(records.splitlines()) == 1


REFUSED = {
    ("--level", "identical"): "--installed takes tree, packages or different",
    ("--level", "layers"): "--installed takes tree, packages or different",
    ("--against", "oci:x"): "--against is for a rebuild",
    ("--engine", "docker"): "--engine is for a rebuild",
    ("--policy", "policy.toml"): "--policy is for a rebuild",
    ("--secret", "id=x"): "--secret is for a rebuild",
    ("--lock", "train.py"): "is no envfreeze.lock",
}


@pytest.mark.usefixtures("native")
def test_options_for_a_rebuild_are_refused(project, capsys, monkeypatch):
    monkeypatch.setenv("ENVFREEZE_CACHE", str(project.cache))
    monkeypatch.chdir(project.root)
    for arguments, said in REFUSED.items():
        assert main(["verify", "--installed", "oci:.envfreeze/image", *arguments]) == 2
        assert said in " ".join(capsys.readouterr().err.split())


def test_the_verdict_in_every_form(project, native, patched, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("ENVFREEZE_CACHE", str(project.cache))
    image = patched(native, {f"{SITE}/gamma/1.py": b"x = 2\n"})
    report = tmp_path / "report"
    arguments = [
        "verify",
        "--installed",
        f"oci:{image}",
        "-C",
        str(project.root),
        "--lock",
        str(project.root),
    ]
    for form in ("text", "json", "markdown", "junit", "html"):
        assert main([*arguments, "--format", form, "-o", str(report)]) == 1
        printed = capsys.readouterr().out
        assert printed == "different\n" or json.loads(printed)["verdict"] == "different"
        assert "gamma/1.py" in report.read_text()
    assert main([*arguments, "--level", "different", "--quiet"]) == 0
