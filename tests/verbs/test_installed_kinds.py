"""`verify --installed` on images of conda packages, of a standalone Python, on an image, for platforms."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import lzma
import shutil
import tarfile

import pytest

import envfreeze
from envfreeze.errors import UsageError
from envfreeze.layers.plan import plan
from envfreeze.locking import files
from envfreeze.locking.apt import suites
from envfreeze.locking.model import CondaSources
from envfreeze.oci import layout
from envfreeze.oci.platform import Platform
from envfreeze.project.load import load
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache
from envfreeze.verbs.installed import verify_installed

RELEASE = b'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'


def built(work):
    with Cache.open(work.cache) as cache:
        envfreeze.build(load(work.root), cache=cache, record=False)
    return layout.read(work.root / ".envfreeze/image")


def held(work, image=None, **arguments):
    where = image or work.root / ".envfreeze/image"
    with Cache.open(work.cache) as cache:
        return verify_installed(str(where), root=work.root, cache=cache, **arguments).verdict


def told(verdict):
    return [
        (one.kind.value, one.level.value, one.package, one.path, one.cause.name) for one in verdict.findings
    ]


def relocked(work, **changes):
    """The small project's lock with another target, planned anew."""
    lock = work.lock()
    further = {"conda": changes.pop("sources")} if "sources" in changes else {}
    (target,) = lock.targets
    target = replace(target, layers=(), **changes)
    files.write(replace(lock, targets=(replace(target, layers=plan(target)),), **further), work.root)


# --------------------------------------------------------------------------------------------- conda


@pytest.fixture
def conda(small_project, conda_channel, tmp_path):
    """The small project with conda packages of every kind."""
    with conda_channel.serve(tmp_path / "channel") as channel:
        packages = conda_channel.every_kind()
        channel.add(*packages)
        channel.index()
        work = small_project()
        work.write("environment.yml", f"channels: [{channel.url}]\ndependencies: [python=3.13]\n")
        work.replace("envfreeze.toml", "[pip]", '[conda]\nenvironment = "environment.yml"\n\n[pip]')
        locked = tuple(
            sorted((channel.locked(one.index["name"]) for one in packages), key=lambda one: one.name)
        )
        relocked(
            work,
            conda=locked,
            sources=CondaSources("environment.yml", (channel.url,), {"linux-64": "0" * 64}),
        )
        yield work


def test_conda_packages_are_compared_with_the_prefix_in_them(conda, patched):
    native = built(conda)
    assert told(held(conda)) == []
    pc = "opt/conda/lib/pkgconfig/zlib.pc"
    cases = {
        pc: (b"prefix=/srv/conda\n", ("content", "different", "zlib", pc, "tampering")),
        "opt/conda/lib/libz.so": (
            None,
            ("removed", "different", "zlib", "opt/conda/lib/libz.so", "not-installed"),
        ),
        "opt/conda/conda-meta/history": (
            b"==> now <==\n",
            ("content", "packages", None, "opt/conda/conda-meta/history", "conda-metadata"),
        ),
        "opt/conda/lib/python3.13/os.py": (
            b"name = 'nt'\n",
            ("content", "different", "python", "opt/conda/lib/python3.13/os.py", "tampering"),
        ),
        "opt/conda/lib/python3.13/evil.py": (
            b"",
            ("added", "different", "python", "opt/conda/lib/python3.13/evil.py", "changed-after-install"),
        ),
    }
    for path, (change, expected) in cases.items():
        assert told(held(conda, patched(native, {path: change}))) == [expected]


def test_a_conda_package_that_is_gone_moved_or_further(conda, patched):
    native = built(conda)
    meta = "opt/conda/conda-meta"
    (record,) = (
        name for name in contents(native) if name.startswith(f"{meta}/zlib-") and name.endswith(".json")
    )
    document = json.loads(contents(native)[record])
    moved = json.dumps({**document, "version": "1.3.2"}).encode()
    changes = {record: None, f"{meta}/zlib-1.3.2-hb9d3cd8_2.json": moved}
    (finding,) = held(conda, patched(native, changes)).findings
    assert (finding.kind.value, finding.package) == ("package-version", "zlib")
    assert "1.3.1-hb9d3cd8_2 -> 1.3.2-hb9d3cd8_2" in finding.what
    further = json.dumps({**document, "name": "extra", "files": []}).encode()
    changes = {f"{meta}/extra-1.3.1-hb9d3cd8_2.json": further}
    assert told(held(conda, patched(native, changes))) == [
        ("package-added", "different", "extra", None, "floating-package")
    ]


@pytest.mark.parametrize("prefix", ["opt/conda", "srv/mamba"])
def test_what_rattler_installed_is_clean_but_for_its_notes(conda, patched, tmp_path, prefix):
    native = built(conda)
    (target,) = files.read(conda.root).targets
    by_rattler(target, tmp_path, prefix)
    changes = {}
    for path in sorted((tmp_path / "prefix").rglob("*")):
        name = f"{prefix}/{path.relative_to(tmp_path / 'prefix')}"
        if path.is_symlink():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
            changes[name] = member, b""
        elif path.is_file():
            member = tarfile.TarInfo(name)
            member.mode = path.stat().st_mode & 0o7777
            changes[name] = member, path.read_bytes()
    ours = patched(native, changes, keep=lambda name: name.split("-")[0] not in {"conda", "environment"})
    findings = [one for one in told(held(conda, ours)) if one[2] not in WHEELS]
    assert {one[1] for one in findings} == {"packages"}
    causes = {one[4] for one in findings}
    assert {"conda-metadata", "launcher"} <= causes
    # In another place the wheels, which are still in the first, are told as missing there.
    assert (("place", "packages", None, None, "other-environment") in findings) is (prefix != "opt/conda")


WHEELS = {"alpha", "beta", "gamma"}


def by_rattler(target, folder, prefix):
    """Have rattler install a target's conda packages as if into a prefix."""
    from rattler import Channel, Gateway, Subdir, install, solve

    async def run():
        records = await solve(
            sources=[Channel(target.conda[0].channel)],
            specs=[package.name for package in target.conda],
            platforms=["linux-64", "noarch"],
            gateway=Gateway(cache_dir=folder / "gateway"),
        )
        await install(
            records,
            target_prefix=folder / "prefix",
            cache_dir=folder / "packages",
            alternative_target_prefix=f"/{prefix}",
            show_progress=False,
            platform=Subdir("linux-64"),
        )

    asyncio.run(run())


def contents(image):
    """The files of an image, of one that stands in several layers the topmost."""

    found = {}
    for layer in image.layers:
        with layer.open() as blob, tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read()))) as tar:
            found |= {one.name: tar.extractfile(one).read() for one in tar if one.isreg()}
    return found


# ----------------------------------------------------------------------------------- standalone Python


def test_a_standalone_python(small_project, standalone_archive, patched):
    work = small_project()
    content = standalone_archive.archive(standalone_archive.small("3.12.13"))
    name = standalone_archive.filename("3.12.13")
    work.site.files[f"/pbs/{name}"] = content
    python = standalone_archive.locked(content, "3.12.13", f"{work.site.url}/pbs/{name}")
    relocked(work, standalone=python, python="3.12.13")
    native = built(work)
    assert told(held(work)) == []
    path = "opt/python/lib/python3.12/os.py"
    assert told(held(work, patched(native, {path: b"evil\n"}))) == [
        ("content", "different", "python-build-standalone", path, "changed-after-install")
    ]
    path = "opt/python/lib/python3.12/sitecustomize.py"
    assert told(held(work, patched(native, {path: b"evil\n"}))) == [
        ("added", "different", "python-build-standalone", path, "changed-after-install")
    ]


# ------------------------------------------------------------------------------------------- an image


@pytest.fixture
def on_image(small_project, registry_server, monkeypatch):
    """The small project on an image of a registry, with a package more than the image has."""
    with registry_server.serve() as registry:
        below = small_project(where="below")
        below.lock(wheels=[])
        image = built(below)
        history = [one["created_by"] for one in json.loads(image.config)["history"]]
        kept = []
        for layer, name in zip(image.layers, history, strict=True):
            if name.startswith(("deb", "system")):
                with layer.open() as blob:
                    kept.append(registry_server.MemoryLayer(blob.read(), layer.diff_id, layer.media_type))
        top = registry_server.layer_of({"etc/os-release": RELEASE, "opt/tool": b"of the base"})
        registry.push(registry_server.image_of([*kept, top]), "team/base", "1")
        table = json.loads(below.suites.read_text())
        shipped = suites.read(table, lambda name: (below.suites.parent / name).read_bytes())
        monkeypatch.setattr(suites, "shipped", lambda: shipped)
        work = small_project()
        work.site.add_deb("further", further_deb())
        work.site.publish()
        work.replace(
            "envfreeze.toml",
            "[image]\n",
            f'[image]\nbase = "{registry.host}/team/base:1"\npackages = ["further"]\n',
        )
        with Cache.open(work.cache) as cache:
            envfreeze.lock(load(work.root), cache=cache)
        yield work


def further_deb():
    stanza = (
        "Package: further\nVersion: 1\nArchitecture: amd64\nMaintainer: T <t@example.org>\nDescription: x\n"
    )

    def tar(members):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for path, content in members.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return out.getvalue()

    out = b"!<arch>\n"
    members = {
        "debian-binary": b"2.0\n",
        "control.tar": tar({"./control": stanza.encode()}),
        "data.tar.xz": lzma.compress(tar({"./usr/share/further": b"further"}), preset=0),
    }
    for path, content in members.items():
        out += f"{path:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out, stanza


def test_a_base_that_is_an_image_is_compared_too(on_image, patched):
    native = built(on_image)
    assert told(held(on_image)) == []
    for path, package, cause in (
        ("opt/tool", None, "changed-after-install"),
        ("usr/share/zoneinfo/UTC", "tzdata", "changed-after-install"),
        ("usr/share/further", "further", "changed-after-install"),
    ):
        verdict = held(on_image, patched(native, {path: b"other"}))
        assert told(verdict) == [("content", "different", package, path, cause)]


def test_a_base_in_other_layers_is_fetched_and_compared(on_image, patched):
    native = built(on_image)
    flat = patched(native, contents_and_links(native), keep=lambda _: False)
    verdict = held(on_image, flat)
    assert verdict.level.value == "tree"
    assert told(verdict) == [("layer-boundaries", "tree", None, None, "other-builder")]
    shutil.rmtree(on_image.cache)
    verdict = held(on_image, flat, offline=True)
    assert told(verdict)[0][:2] == ("unchecked", "different")


def contents_and_links(image):
    """All that an image has, as one layer's members."""

    found = {}
    for layer in image.layers:
        with layer.open() as blob, tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob.read()))) as tar:
            for one in tar:
                content = tar.extractfile(one).read() if one.isreg() else b""
                found[one.name] = one, content
    return found


# ------------------------------------------------------------------------------------------ platforms


def test_every_platform_of_an_index_is_compared(small_project, tmp_path):
    work = small_project()
    lock = work.lock()
    (target,) = lock.targets
    arm = replace(
        target, platform=Platform.parse("linux/arm64"), base=replace(target.base, packages=()), layers=()
    )
    arm = replace(arm, layers=plan(arm))
    files.write(replace(lock, targets=(target, arm)), work.root)
    built(work)
    verdict = held(work)
    assert (verdict.level.value, verdict.findings) == ("tree", ())
    files.write(lock, work.root)
    verdict = held(work)
    assert [(one.kind.value, one.platform) for one in verdict.findings] == [("platform-added", "linux/arm64")]
    files.write(replace(lock, targets=(arm,)), work.root)
    one = layout.read(work.root / ".envfreeze/image").images[0]
    layout.write(one, tmp_path / "one")
    with pytest.raises(UsageError, match="there is nothing to compare"):
        held(work, tmp_path / "one")
