"""The lock's files: the same value gives the same bytes, and nothing but those bytes is believed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from packaging.pylock import Pylock
from uv import find_uv_bin

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.locking import files, pip, toml
from envfreeze.locking.model import (
    AptBase,
    AptIndex,
    Archive,
    Deb,
    LayerSeal,
    Lock,
    PlannedLayer,
    Runtime,
    Target,
    Wheel,
)
from envfreeze.locking.pip import PipTarget
from envfreeze.locking.wheels import ranks
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

sys.path.insert(0, str(Path(__file__).parent))
from lock_strategies import locks

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Index, MakeProject, MakeWheel


def digest(letter: str) -> Digest:
    return Digest(letter * 64)


def small_lock(**changes: Any) -> Lock:
    base = AptBase(
        reference="apt:debian/trixie",
        archives=(Archive("debian", ("http://mirror.example.org/debian", "http://snapshot.example.org/1/")),),
        indexes=(AptIndex("debian", "trixie", ("main",), "2026-09-12T07:55:41Z", digest("a")),),
        packages=(
            Deb(
                "libc6",
                "2.41-12",
                "amd64",
                "pool/main/g/glibc/libc6_2.41-12_amd64.deb",
                digest("b"),
                2847,
                "debian",
            ),
            Deb(
                "tzdata",
                "2025b",
                "all",
                "pool/main/t/tzdata_2025b_all.deb",
                digest("c"),
                260,
                "debian",
                True,
                ("libc6",),
            ),
        ),
        notes=('libc6: its postinst restarts "services"; in an image there are none',),
    )
    target = Target(
        platform=Platform("linux", "amd64"),
        python="3.13.5",
        glibc="2.41",
        manylinux="manylinux_2_40",
        base=base,
        wheels=(
            Wheel(
                "mine",
                "1.0",
                "mine-1.0-py3-none-any.whl",
                digest("d"),
                900,
                "file:wheels/mine-1.0-py3-none-any.whl",
                True,
                True,
                ("conda-numpy", "six"),
            ),
            Wheel(
                "six",
                "1.17.0",
                "six-1.17.0-py2.py3-none-any.whl",
                digest("e"),
                11050,
                "https://files.example.org/six-1.17.0-py2.py3-none-any.whl",
            ),
        ),
        layers=(
            PlannedLayer("debs", "debs-00", ("libc6", "tzdata"), LayerSeal(digest("1"), digest("2"), 3)),
            PlannedLayer("system", "system", ()),
        ),
    )
    lock = Lock(
        schema=1,
        writer=1,
        inputs={"requirements.txt": digest("f"), "<configuration>": digest("0")},
        exclude_newer="2026-09-01T00:00:00Z",
        runtime=Runtime({"A": "1"}, {}, ("src/",), None, "/work", None, ("python", "-m", "app")),
        targets=(target,),
    )
    return replace(lock, **changes)


def for_both(lock: Lock) -> Lock:
    return replace(
        lock, targets=(*lock.targets, replace(lock.targets[0], platform=Platform("linux", "arm64")))
    )


def resum(content: bytes) -> bytes:
    """Give a changed `envfreeze.lock` the checksum that it should have."""
    rest = re.sub(rb'(?m)^checksum = ".*"\n', b"", content, count=1)
    at = content.index(b"checksum = ")
    return rest[:at] + f'checksum = "{Digest.of(rest)}"\n'.encode() + rest[at:]


class TestBytes:
    """Rendering and parsing."""

    @given(locks)
    @settings(
        deadline=None,
        max_examples=60,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    def test_every_lock_is_read_back_as_it_was(self, lock: Lock) -> None:
        rendered = files.render(lock)
        assert files.parse(rendered) == lock
        assert files.render(files.parse(rendered)) == rendered

    def test_the_order_of_mappings_does_not_show(self) -> None:
        lock = small_lock()
        turned = replace(lock, inputs=dict(reversed(lock.inputs.items())))
        assert files.render(turned) == files.render(lock)

    def test_one_target_has_plain_names_and_several_have_their_platform_in_it(self) -> None:
        assert list(files.render(small_lock())) == ["envfreeze.lock", "pylock.toml", "requirements.lock.txt"]
        assert list(files.render(for_both(small_lock()))) == [
            "envfreeze.lock",
            "pylock.linux-amd64.toml",
            "requirements.linux-amd64.lock.txt",
            "pylock.linux-arm64.toml",
            "requirements.linux-arm64.lock.txt",
        ]

    def test_these_are_the_bytes(self) -> None:
        golden = Path(__file__).parent / "golden"
        assert files.render(small_lock()) == {path.name: path.read_bytes() for path in golden.iterdir()}

    def test_requirements_carry_a_hash_each(self) -> None:
        assert files.render(small_lock())["requirements.lock.txt"].decode().splitlines()[2:] == [
            "# For linux/amd64, Python 3.13, manylinux_2_40.",
            "./wheels/mine-1.0-py3-none-any.whl \\",
            f"    --hash=sha256:{'d' * 64}",
            "six==1.17.0 \\",
            f"    --hash=sha256:{'e' * 64}",
        ]


class TestDoubt:
    """What is not what envfreeze wrote is refused with words."""

    def refused(self, rendered: dict[str, bytes]) -> UntrustedError:
        with pytest.raises(UntrustedError) as caught:
            files.parse(rendered)
        newer = "newer envfreeze" in caught.value.message
        assert isinstance(caught.value, files.EditedError) != newer
        assert ("`pip install --upgrade envfreeze`" if newer else "envfreeze lock") in caught.value.hint
        return caught.value

    def changed(self, old: str, new: str, *, resummed: bool = True) -> UntrustedError:
        rendered = files.render(small_lock())
        assert old.encode() in rendered["envfreeze.lock"]
        content = rendered["envfreeze.lock"].replace(old.encode(), new.encode(), 1)
        return self.refused(rendered | {"envfreeze.lock": resum(content) if resummed else content})

    def test_no_lock_is_wrong_use(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            files.read(tmp_path)
        assert "there is no envfreeze.lock in" in caught.value.message
        assert caught.value.hint == "run `envfreeze lock`"
        with pytest.raises(UsageError):
            files.parse({})

    def test_a_lock_edited_by_hand_is_noticed(self) -> None:
        error = self.changed('python = "3.13.5"', 'python = "3.13.6"', resummed=False)
        assert "edited by hand" in error.message

    def test_a_lock_without_its_checksum_is_noticed(self) -> None:
        rendered = files.render(small_lock())
        content = re.sub(rb"(?m)^checksum.*\n", b"", rendered["envfreeze.lock"])
        assert "edited by hand" in self.refused(rendered | {"envfreeze.lock": content}).message

    def test_what_is_no_toml_is_noticed(self) -> None:
        assert "edited by hand or is damaged" in self.changed("[inputs]", "[inputs", resummed=False).message

    @pytest.mark.parametrize("name", ["pylock.toml", "requirements.lock.txt"])
    def test_a_bound_file_that_was_changed_or_lost_is_named(self, name: str) -> None:
        rendered = files.render(small_lock())
        error = self.refused(rendered | {name: rendered[name].replace(b"e" * 64, b"f" * 64)})
        assert f"{name} is not the file that envfreeze.lock was written with" in error.message
        del rendered[name]
        assert f"{name} is missing" in self.refused(rendered).message

    @pytest.mark.parametrize("name", ["envfreeze.lock", "pylock.toml", "requirements.lock.txt"])
    def test_the_markers_of_a_merge_are_recognised(self, name: str) -> None:
        rendered = files.render(small_lock())
        conflict = b"<<<<<<< HEAD\nschema = 1\n=======\nschema = 2\n>>>>>>> other\n"
        error = self.refused(rendered | {name: rendered[name] + conflict})
        assert f"{name} holds the conflict markers of a git merge" in error.message

    def test_windows_line_ends_are_recognised(self) -> None:
        rendered = files.render(small_lock())
        with pytest.raises(files.EditedError, match="Windows line ends") as caught:
            files.parse(rendered | {"envfreeze.lock": rendered["envfreeze.lock"].replace(b"\n", b"\r\n")})
        assert ".gitattributes" in caught.value.hint

    def test_a_newer_schema_is_told_apart_from_damage(self) -> None:
        error = self.changed("schema = 1", "schema = 2\nnews = [1.5]", resummed=False)
        assert "written by a newer envfreeze (schema 2); this one reads schema 1" in error.message

    def test_newer_byte_rules_are_told_apart_from_damage(self) -> None:
        assert "written by a newer envfreeze (writer 7)" in self.changed("writer = 1", "writer = 7").message

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("schema = 1", "schema = true", "envfreeze.lock: schema: is a boolean, not an integer"),
            ("schema = 1", "schema = 0", "envfreeze.lock: schema: is 0"),
            ("writer = 1\n", "", "envfreeze.lock: writer: is missing"),
            (
                'workdir = "/work"',
                "workdir = 2026-01-01",
                "envfreeze.lock: image.workdir: is a date or a float",
            ),
            ('include = ["src/"]', "include = [1]", "envfreeze.lock: image.include[0]: is an integer"),
            ('A = "1"', "A = 1", "envfreeze.lock: image.env.A: is an integer, not a string"),
            ("size = 260", "size = -1", "envfreeze.lock: target[0].base.packages[1].size: is negative"),
            ("size = 260", "sise = 260", "envfreeze.lock: target[0].base.packages[1].size: is missing"),
            ("size = 260", "size = 260, hue = 1", "target[0].base.packages[1].hue: is not a key"),
            (
                'archive = "debian", f',
                'archive = "x", f',
                "packages[0].archive: 'x' is not one of the archives",
            ),
            (
                "pool/main/t",
                "pool/../../t",
                "packages[1].filename: 'pool/../../t/tzdata_2025b_all.deb' leads out",
            ),
            ('python = "3.13.5"', 'python = "3.13"', "target[0].python: '3.13' is not an exact version"),
            ('platform = "linux/amd64"', 'platform = "linux/s390x"', "target[0].platform: unknown platform"),
            ('glibc = "2.41"', 'glibc = "new"', "target[0].glibc: 'new' is not of the form"),
            ('kind = "system"', 'kind = "cloud"', "target[0].layers[1].kind: 'cloud' is not one of"),
            (', diff-id = "sha256:', ', other = "sha256:', "target[0].layers[0].diff-id: is missing"),
            (f'"sha256:{"f" * 64}"', '"sha256:ff"', "envfreeze.lock: inputs.requirements.txt: not a sha256"),
            (
                f'"sha256:{"f" * 64}"',
                f'"{"f" * 64}"',
                "envfreeze.lock: inputs.requirements.txt: not a sha256",
            ),
            (
                'file = "pylock.toml"',
                'file = "../pylock.toml"',
                "'../pylock.toml' is not a name that envfreeze",
            ),
            (
                'exclude-newer = "2026-09-01',
                'exclude-newer = "2026-09-02',
                "tool.envfreeze.exclude-newer: is",
            ),
            (
                'glibc = "2.41"',
                'glibc = "2.40"',
                "pylock.toml: tool.envfreeze.glibc: is '2.41', but envfreeze.lock",
            ),
        ],
    )
    def test_a_wrong_value_is_named_by_its_path(self, old: str, new: str, words: str) -> None:
        assert words in self.changed(old, new).message

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ('lock-version = "1.0"', 'lock-version = "1.1"', "pylock.toml: lock-version: is '1.1'"),
            ('created-by = "envfreeze"', 'created-by = "uv"', "pylock.toml: created-by: is 'uv'"),
            ("'3.13'", "'3.12'", "pylock.toml: environments: is not that of linux/amd64, Python 3.13.5"),
            ("size = 11050", 'size = "11050"', "pylock.toml: packages[1].wheels[0].size: is a string"),
            ("https://files", "ftp://files", "packages[1].wheels[0].url: is not an http, https or file URL"),
            (
                "https://files",
                "https://me:pw@files",
                "packages[1].wheels[0].url: is not an http, https or file",
            ),
            ("https://files.example", "https://[files.example", "packages[1].wheels[0].url: not a URL"),
            (
                'path = "wheels',
                'path = "../wheels',
                "packages[0].archive.path: not a path inside the project",
            ),
            ('path = "wheels', 'path = "/wheels', "packages[0].archive.path: not a path inside the project"),
            ('name = "six-1.17.0', 'name = "sox-1.17.0', "is not a wheel of six 1.17.0"),
            (
                'name = "six-1.17.0-py2.py3-',
                'name = "six-1.17.0-',
                "packages[1].wheels[0].name: Invalid wheel",
            ),
            ('version = "1.17.0"', 'version = "1.17.0"\nmarker = "x"', "packages[1].marker: is not a key"),
            ("e" * 64, "e" * 63, "packages[1].wheels[0].hashes.sha256: not a sha256"),
            (
                "wheels = [\n",
                'wheels = [\n    { name = "x" },\n',
                "packages[1].wheels: holds 2 wheels, not one",
            ),
            ("[[packages]]", "[[packages", "pylock.toml is not TOML"),
        ],
    )
    def test_a_wrong_value_in_pylock_is_named_by_its_path(self, old: str, new: str, words: str) -> None:
        rendered = files.render(small_lock())
        before = rendered["pylock.toml"]
        assert old.encode() in before
        after = before.replace(old.encode(), new.encode(), 1)
        rebound = rendered["envfreeze.lock"].replace(
            str(Digest.of(before)).encode(), str(Digest.of(after)).encode()
        )
        error = self.refused(rendered | {"pylock.toml": after, "envfreeze.lock": resum(rebound)})
        assert words in error.message

    @given(st.data())
    @settings(deadline=None, max_examples=150)
    def test_no_damage_is_more_than_an_error_with_words(self, data: st.DataObject) -> None:
        rendered = files.render(small_lock())
        document = tomllib.loads(rendered["envfreeze.lock"].decode())
        del document["checksum"]
        junk = st.sampled_from(
            ["", "x", -1, 2**70, True, [], [1], {}, {"a": 1}, ["a", {"b": []}], "sha256:00"]
        )
        _damage(document, data.draw, junk)
        body = toml.dumps(document).encode()
        content = f'checksum = "{Digest.of(body)}"\n'.encode() + body
        self.harmless(rendered | {"envfreeze.lock": content})

    @given(st.sampled_from(["envfreeze.lock", "pylock.toml"]), st.integers(0, 5000), st.binary(max_size=3))
    @example("envfreeze.lock", 0, b"\xff")
    @settings(deadline=None)
    def test_no_changed_byte_is_more_than_an_error_with_words(self, name: str, at: int, new: bytes) -> None:
        rendered = files.render(small_lock())
        content = rendered[name]
        changed = content[:at] + new + content[at + len(new) :]
        if name == "pylock.toml":
            bound = rendered["envfreeze.lock"].replace(
                str(Digest.of(content)).encode(), str(Digest.of(changed)).encode()
            )
            rendered["envfreeze.lock"] = resum(bound)
        elif changed.count(b"\nchecksum = ") == 1:
            changed = resum(changed)
        self.harmless(rendered | {name: changed})

    def harmless(self, rendered: dict[str, bytes]) -> None:
        try:
            lock = files.parse(rendered)
        except UntrustedError as error:
            raised = error
        else:
            assert files.parse(files.render(lock)) == lock
            return
        assert raised.hint


def _damage(value: Any, draw: Callable[..., Any], junk: st.SearchStrategy[Any]) -> None:
    """Replace, remove or add one thing somewhere below."""
    while isinstance(value, dict | list) and value:
        key = draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        act = draw(st.sampled_from(["deeper", "deeper", "deeper", "replace", "remove", "add"]))
        if act == "replace" or (act == "deeper" and not isinstance(value[key], dict | list)):
            value[key] = draw(junk)
            return
        if act == "remove":
            del value[key]
            return
        if act == "add":
            new = draw(junk)
            value.update({"added": new}) if isinstance(value, dict) else value.append(new)
            return
        value = value[key]


class TestFolder:
    """Writing into and reading from a project's folder."""

    def test_writing_again_touches_nothing(self, tmp_path: Path) -> None:
        written = files.write(small_lock(), tmp_path)
        assert {path.name for path in written} == set(files.render(small_lock()))
        for path in tmp_path.iterdir():
            os.utime(path, (1, 1))
        assert files.write(small_lock(), tmp_path) == ()
        assert {path.stat().st_mtime for path in tmp_path.iterdir()} == {1}

    def test_only_what_changes_is_written(self, tmp_path: Path) -> None:
        files.write(small_lock(), tmp_path)
        assert files.write(small_lock(writer=2), tmp_path) == (tmp_path / "envfreeze.lock",)

    def test_wheels_of_the_project_move_with_it(self, tmp_path: Path) -> None:
        here, there = tmp_path / "hère", tmp_path / "there"
        here.mkdir()
        lock = small_lock()
        local = replace(lock.targets[0].wheels[0], url=(here / "wheels/mine-1.0-py3-none-any.whl").as_uri())
        lock = replace(lock, targets=(replace(lock.targets[0], wheels=(local, *lock.targets[0].wheels[1:])),))
        files.write(lock, here)
        assert files.read(here) == lock
        assert b'path = "wheels/mine-1.0-py3-none-any.whl"' in (here / "pylock.toml").read_bytes()
        for path in here.iterdir():
            assert str(tmp_path).encode() not in path.read_bytes()
        here.rename(there)
        assert files.read(there).targets[0].wheels[0].url == local.url.replace("h%C3%A8re", "there")

    def test_the_bytes_of_a_lock_are_those_of_the_files_that_it_names(self, tmp_path: Path) -> None:
        files.write(for_both(small_lock()), tmp_path)
        (tmp_path / "pylock.toml").write_text("created-by = 'somebody'")
        assert files.read_bytes(tmp_path) == files.render(for_both(small_lock()))

    def test_files_of_targets_that_are_gone_go_too(self, tmp_path: Path) -> None:
        foreign = tmp_path / "pylock.linux-riscv64.toml"
        foreign.write_text("lock-version = '1.0'\n")
        files.write(for_both(small_lock()), tmp_path)
        changed = {path.name for path in files.write(small_lock(), tmp_path)}
        assert "pylock.linux-arm64.toml" in changed
        assert {path.name for path in tmp_path.iterdir()} == {*files.render(small_lock()), foreign.name}
        assert files.read(tmp_path).targets[0].platform == Platform("linux", "amd64")

    @pytest.mark.parametrize("name", ["pylock.toml", "requirements.lock.txt", "envfreeze.lock"])
    def test_what_somebody_else_wrote_is_not_written_over(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).write_text('created-by = "uv"\n')
        with pytest.raises(UsageError, match="envfreeze did not write it") as caught:
            files.write(small_lock(), tmp_path)
        assert caught.value.hint == f"move it away: `mv {name} {name}.old`"
        assert [path.name for path in tmp_path.iterdir()] == [name]

    def test_an_edited_lock_is_written_anew(self, tmp_path: Path) -> None:
        files.write(small_lock(), tmp_path)
        path = tmp_path / "pylock.toml"
        path.write_bytes(b"<<<<<<< HEAD\n" + path.read_bytes())
        assert files.write(small_lock(), tmp_path) == (path,)
        assert files.read(tmp_path)

    def test_a_link_to_the_lock_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "envfreeze.lock").symlink_to("real/envfreeze.lock")
        files.write(small_lock(), tmp_path)
        assert (tmp_path / "envfreeze.lock").is_symlink()
        assert (tmp_path / "real" / "envfreeze.lock").is_file()

    def test_new_files_have_the_mode_that_the_user_wants(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            files.write(small_lock(), tmp_path)
        finally:
            os.umask(before)
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o640}

    def test_a_full_disk_leaves_the_old_lock(self, tmp_path: Path) -> None:
        files.write(small_lock(), tmp_path)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        script = (
            "import resource, sys, signal; from pathlib import Path\n"
            "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
            "from envfreeze.locking import files; from envfreeze.replacing import replace\n"
            "from envfreeze.errors import MachineError\n"
            "folder = Path(sys.argv[1]); lock = files.read(folder)\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
            "try: files.write(replace(lock, exclude_newer=None), folder)\n"
            "except MachineError as error: print(error.message)\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
        )
        assert "File too large" in done.stdout
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_a_folder_that_is_not_there_is_the_machine(self, tmp_path: Path) -> None:
        with pytest.raises(MachineError, match="No such file"):
            files.write(small_lock(), tmp_path / "gone")

    def test_a_lock_that_is_a_folder_is_the_machine(self, tmp_path: Path) -> None:
        (tmp_path / "envfreeze.lock").mkdir()
        with pytest.raises(MachineError, match="directory"):
            files.read(tmp_path)


class TestOtherReaders:
    """pylock.toml and requirements.lock.txt are for others too."""

    @pytest.fixture
    def locked(self, index: Index, make_wheel: MakeWheel, make_project: MakeProject) -> tuple[Path, Lock]:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        project = make_project(
            files={"requirements.txt": "top\n./wheels/mine-1.0-py3-none-any.whl\n"},
            requirements=("requirements.txt",),
            index_url=index.url,
        )
        make_wheel("mine", folder=project.root / "wheels")
        index.add(make_wheel("top", requires=["native"]))
        index.add(make_wheel("native", tag=f"cp{version.replace('.', '')}-abi3-manylinux_2_17_x86_64"))
        index.add(make_wheel("native", tag=f"cp{version.replace('.', '')}-abi3-manylinux_2_17_aarch64"))
        platform = Platform("linux", "arm64" if os.uname().machine == "aarch64" else "amd64")
        target = PipTarget(platform, f"{version}.{sys.version_info[2]}", "2.17")
        wheels = pip.resolve(project, target)
        lock = small_lock()
        ours = replace(
            lock.targets[0],
            platform=platform,
            python=target.python,
            manylinux=target.manylinux,
            wheels=wheels,
        )
        lock = replace(lock, targets=(ours,))
        files.write(lock, project.root)
        assert files.read(project.root) == lock
        return project.root, lock

    def test_packaging_selects_the_same_wheels(self, locked: tuple[Path, Lock]) -> None:
        folder, lock = locked
        target = lock.targets[0]
        document = Pylock.from_dict(tomllib.loads((folder / "pylock.toml").read_text()))
        environment = {
            "python_version": target.python_minor,
            "python_full_version": target.python,
            "sys_platform": "linux",
            "platform_machine": target.platform.machine,
        }
        tags = list(ranks(target.python, 17, target.platform.machine))
        selected = list(document.select(environment=environment, tags=tags))
        assert [package.name for package, _ in selected] == ["mine", "native", "top"]
        assert [file.hashes["sha256"] for _, file in selected] == [
            wheel.digest.hex for wheel in target.wheels
        ]

    @pytest.mark.parametrize("name", ["pylock.toml", "requirements.lock.txt"])
    def test_uv_installs_from_it(
        self, locked: tuple[Path, Lock], name: str, index: Index, tmp_path: Path
    ) -> None:
        folder, _ = locked
        environment = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
        done = subprocess.run(
            [
                *(find_uv_bin(), "pip", "install", "--no-config", "--python", sys.executable),
                *("--require-hashes", "--default-index", index.url),
                *("--target", str(tmp_path / "site"), "-r", name),
            ],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        for package in ("mine", "native", "top"):
            assert (tmp_path / "site" / package / "__init__.py").is_file()
