"""The image of a lock, computed a second time from what `docs/formats/` says.

This shares no code with envfreeze. It was written from the pages of the formats; where they left a question
open, the images that envfreeze had made answered it, and the answer went into the page. So it is the evidence
for what the pages claim: that somebody who has them, a lock and the artifacts that the lock names gets
the same digest. It writes no image; it gives the digests of everything that an image is made of. It is
plain where envfreeze is fast: it has whole packages in memory and knows only what is well formed. Faults
in artifacts are envfreeze's to refuse.

    python second_implementation.py PROJECT BLOBS

This module follows `image.md`, and of `writer-1.md` the plan of layers, the environment and the project's
files. The folder beside it has a module for each further part of the pages.

PROJECT holds `envfreeze.lock`, BLOBS holds the artifacts as `<first two digits>/<sha256>`, as in the cache
of envfreeze below `blobs/sha256`.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from second.conda import Conda
from second.conda import history as history_of
from second.deb import read_deb
from second.layer import DIRECTORY, Entry, Layer, directory, file, symlink, write_layer
from second.standalone import standalone
from second.system import System
from second.wheel import Wheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CREATED = "1980-01-02T00:00:00Z"
MEDIA_TYPE = "application/vnd.oci.image"


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Planned:
    name: str
    kind: str
    packages: tuple[str, ...]


def plan(
    debs: Mapping[str, int],
    conda: Mapping[str, int | None],
    wheels: Mapping[str, int | None],
    below: int | None = None,
    *,
    python: bool = False,
) -> list[Planned]:
    """Share out packages, given with their sizes, over layers; on an image of so many layers, if on one."""
    fewer = max(0, (below or 0) + python - 19)
    # A name of digits alone would be that of a bucket.
    conda = {name: None if name.isdigit() else size for name, size in conda.items()}
    shared = max(0, 48 - fewer)
    from_conda = list(planned("conda", "conda", conda, own=min(24, shared), buckets=8))
    own = sum(size is not None and size >= 8_388_608 for size in conda.values())
    return [
        *planned("debs", "deb", debs, own=24 - max(0, fewer - 48), buckets=8),
        *([Planned("system", "system", ())] if below is None or debs else []),
        *([Planned("python", "python", ())] if python else []),
        *from_conda,
        *planned("wheels", "wheel", wheels, own=shared - min(own, 24, shared), buckets=16),
        Planned("environment", "environment", ()),
    ]


def planned(
    kind: str, one: str, sizes: Mapping[str, int | None], *, own: int, buckets: int
) -> Iterator[Planned]:
    large = [name for name, size in sizes.items() if size is not None and size >= 8_388_608]
    large = sorted(sorted(large, key=lambda name: (-(sizes[name] or 0), name))[:own])
    for name in large:
        yield Planned(f"{one}-{name}", kind, (name,))
    shares: dict[int, list[str]] = {}
    for name in sorted(sizes.keys() - set(large)):
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
        shares.setdefault(number % buckets, []).append(name)
    for number, names in sorted(shares.items()):
        yield Planned(f"{kind}-{number:02}", kind, tuple(names))


def environment(
    prefix: str,
    python: str,
    infos: Mapping[str, str],
    pylock: Mapping[str, Any],
    conda: Mapping[str, Mapping[str, Any]],
    interpreter: str | None = None,
) -> dict[str, Entry]:
    """Give the environment layer.

    Args:
        prefix: `opt/conda`, `opt/venv` or what the lock says.
        python: exact version.
        infos: name of each wheel's `.dist-info` folder, by package.
        pylock: the file: what the project names, by itself and by URL.
        conda: what is locked of each conda package.
        interpreter: the Python of an image that all lies on.

    """
    minor = python.rpartition(".")[0]
    site = f"{prefix}/lib/python{minor}/site-packages"
    interpreter = interpreter or f"/usr/bin/python{minor}"
    settings = (
        f"home = {interpreter.rpartition('/')[0]}\ninclude-system-site-packages = false\nversion = {python}\n"
        f"executable = {interpreter}\n"
    )
    entries = {site: directory()}
    if prefix != "opt/conda":
        entries |= {
            f"{prefix}/pyvenv.cfg": file(settings.encode()),
            f"{prefix}/bin/python": symlink(interpreter),
            f"{prefix}/bin/python3": symlink("python"),
            f"{prefix}/bin/python{minor}": symlink("python"),
        }
    for name in pylock["tool"]["envfreeze"]["requested"]:
        entries[f"{site}/{infos[name]}/REQUESTED"] = file()
    for package in pylock["packages"]:
        archive = package.get("archive", {})
        if archive.get("url", "").startswith("http"):
            hashes = {"sha256": archive["hashes"]["sha256"]}
            direct = {"archive_info": {"hashes": hashes}, "url": archive["url"]}
            entries[f"{site}/{infos[package['name']]}/direct_url.json"] = file(canonical(direct))
    if conda:
        entries["opt/conda/conda-meta/history"] = file(history_of(conda.values()))
    return entries


def locked_conda(project: Path, target: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What the lock files say of each conda package of a target, by name."""
    if "conda" not in target:
        return {}
    import yaml

    subdir = {"linux/amd64": "linux-64", "linux/arm64": "linux-aarch64"}[target["platform"]]
    document = yaml.safe_load((project / "conda-lock.yml").read_text())
    named = {
        entry["name"]: entry
        for entry in document["package"]
        if entry["manager"] == "conda" and entry["platform"] == subdir
    }
    found = {}
    for row in target["conda"]:
        url = named[row["name"]]["url"]
        channel, folder, filename = url.rsplit("/", 2)
        found[row["name"]] = {
            "constrains": [],
            "requested": False,
            **row,
            "build_number": row["build-number"],
            "channel": channel,
            "subdir": folder,
            "filename": filename,
            "url": url,
            **named[row["name"]]["hash"],
        }
    return found


def project_files(root: Path, included: Sequence[str], workdir: str) -> dict[str, Entry]:
    below = workdir.strip("/")
    entries = {below: directory()}
    for name in included:
        for path in walked(root / name):
            if path.is_symlink() or path.is_file():
                entries[f"{below}/{path.relative_to(root).as_posix()}"] = project_entry(path)
    return entries


def walked(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        for child in path.iterdir():
            if child.name not in {".git", ".envfreeze", ".venv", "__pycache__"}:
                yield from walked(child)


def project_entry(path: Path) -> Entry:
    if path.is_symlink():
        return symlink(str(path.readlink()))
    return file(path.read_bytes(), 0o755 if path.stat().st_mode & 0o100 else 0o644)


def images(project: Path, blobs: Path) -> dict[str, Any]:
    """Give the digest that `envfreeze build` prints, and those of each target's image."""
    lock = tomllib.loads((project / "envfreeze.lock").read_text())
    every = [image(project, blobs, lock["image"], target) for target in lock["target"]]
    manifests = [
        descriptor("manifest.v1+json", one["manifest"], one["size"]) | {"platform": platform_of(target)}
        for one, target in zip(every, lock["target"], strict=True)
    ]
    index = {"schemaVersion": 2, "mediaType": f"{MEDIA_TYPE}.index.v1+json", "manifests": manifests}
    return {
        "digest": digest_of(canonical(index)) if len(every) > 1 else every[0]["manifest"],
        "images": every,
    }


def blob_of(blobs: Path, digest: str) -> Path:
    hexadecimal = digest.removeprefix("sha256:")
    return blobs / hexadecimal[:2] / hexadecimal


def image(
    project: Path, blobs: Path, settings: Mapping[str, Any], target: Mapping[str, Any]
) -> dict[str, Any]:
    """Give a target's image: `manifest`, its `size`, `config`, `layers`."""
    pylock = tomllib.loads((project / target["pylock"]["file"]).read_text())
    minor = target["python"].rpartition(".")[0]

    base = target.get("image")
    below = [] if base is None else base["layers"]
    locked = {package["name"]: package for package in target["base"]["packages"]}
    debs = {
        name: read_deb(blob_of(blobs, package["digest"]), name, requested=package.get("requested", False))
        for name, package in locked.items()
    }
    files = {
        package["name"]: package.get("archive") or package["wheels"][0] for package in pylock["packages"]
    }
    infos: dict[str, str] = {}
    conda = locked_conda(project, target)
    prefix = "opt/conda" if "python" in conda else target.get("prefix", "/opt/venv")[1:]
    python = target.get("standalone")
    versions = {
        "debs": {name: package["version"] for name, package in locked.items()},
        "conda": {name: package["version"] for name, package in conda.items()},
        "wheels": {package["name"]: package["version"] for package in pylock["packages"]},
    }
    layers = []
    history = []
    sizes = {name: package["size"] for name, package in locked.items()}
    for layer in plan(
        sizes,
        {name: package.get("size") for name, package in conda.items()},
        {name: wheel.get("size") for name, wheel in files.items()},
        None if base is None else len(below),
        python=python is not None,
    ):
        entries: dict[str, Entry] = {}
        if layer.kind == "debs":
            add_over(entries, *(debs[name].entries for name in layer.packages))
        elif layer.kind == "system":
            entries = System(debs.values(), target).entries
        elif layer.kind == "python":
            entries = standalone(blob_of(blobs, python["digest"]), python)
        elif layer.kind == "conda":
            for name in layer.packages:
                add_over(entries, Conda(blob_of(blobs, conda[name]["sha256"]), conda[name], minor).entries)
        elif layer.kind == "wheels":
            for name in layer.packages:
                wheel = Wheel(blob_of(blobs, files[name]["hashes"]["sha256"]), minor, prefix)
                infos[name] = wheel.info
                add_over(entries, wheel.entries)
        else:
            entries = environment(prefix, target["python"], infos, pylock, conda, interpreter_of(target))
        layers.append(write_layer(layer.name, entries))
        history.append(told(layer, versions, python))
    if settings["include"]:
        entries = project_files(project, settings["include"], settings["workdir"])
        layers.append(write_layer("project", entries))
        history.append(f"project: {len(entries) - 1} files")
    config = config_of(blobs, settings, target, layers, history, prefix)
    manifest = canonical(
        {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA_TYPE}.manifest.v1+json",
            "config": descriptor("config.v1+json", digest_of(config), len(config)),
            "layers": [
                *(descriptor(packing(row["media-type"]), row["digest"], row["size"]) for row in below),
                *(descriptor("layer.v1.tar+gzip", layer.digest, layer.size) for layer in layers),
            ],
        }
    )
    return {
        "manifest": digest_of(manifest),
        "size": len(manifest),
        "config": digest_of(config),
        "layers": [vars(layer) for layer in layers],
    }


def interpreter_of(target: Mapping[str, Any]) -> str | None:
    """The Python that is not a suite's, if it is none."""
    if "standalone" in target:
        return f"{target['standalone']['prefix']}/bin/python{target['python'].rpartition('.')[0]}"
    return target.get("image", {}).get("interpreter")


def told(layer: Planned, versions: Mapping[str, Mapping[str, str]], python: Mapping[str, Any] | None) -> str:
    """A layer's text in the image's history."""
    if layer.kind == "python" and python is not None:
        return f"python: {python['version']}+{python['build']}"
    packages = ", ".join(f"{name} {versions[layer.kind][name]}" for name in layer.packages)
    return f"{layer.name}: {packages}" if packages else layer.name


def add_over(entries: dict[str, Entry], *packages: Mapping[str, Entry]) -> None:
    """Put packages' entries over those of the packages before them."""
    for path, entry in (pair for package in packages for pair in package.items()):
        before = entries.get(path)
        if not (before and before.kind == entry.kind == DIRECTORY):
            entries[path] = entry


def platform_of(target: Mapping[str, Any]) -> dict[str, str]:
    system, _, architecture = target["platform"].partition("/")
    variant = {"variant": "v8"} if architecture == "arm64" else {}
    return {"architecture": architecture, "os": system, **variant}


def descriptor(media_type: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": f"{MEDIA_TYPE}.{media_type}", "digest": digest, "size": size}


def config_of(
    blobs: Path,
    wanted: Mapping[str, Any],
    target: Mapping[str, Any],
    layers: Sequence[Layer],
    history: Sequence[str],
    prefix: str,
) -> bytes:
    if "image" not in target:
        return image_config(wanted, target, layers, history, prefix)
    base = json.loads(blob_of(blobs, target["image"]["config"]).read_bytes())
    return config_on(base, wanted, target, layers, history, prefix)


def packing(media_type: str) -> str:
    return "layer.v1.tar" + ("+gzip" if "gzip" in media_type else "+zstd" if "zstd" in media_type else "")


def config_on(
    base: Mapping[str, Any],
    wanted: Mapping[str, Any],
    target: Mapping[str, Any],
    layers: Sequence[Layer],
    history: Sequence[str],
    prefix: str,
) -> bytes:
    """Give the config of an image that lies on another one, whose config is given."""
    inner = dict(base.get("config") or {})
    env = dict(one.split("=", 1) for one in inner.get("Env") or [])
    usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    speaks = "LANG" in env or "LC_ALL" in env
    folders = f"/{prefix}/bin" + (":/opt/conda/bin" if "conda" in target and prefix == "opt/venv" else "")
    env["PATH"] = f"{folders}:{env.get('PATH') or usual}"
    env["CONDA_PREFIX" if prefix == "opt/conda" else "VIRTUAL_ENV"] = f"/{prefix}"
    if not speaks:
        env["LANG"] = "C.UTF-8"
    env |= dict(sorted(target.get("gpu", {}).get("env", {}).items()))
    env |= dict(sorted(wanted["env"].items()))
    if "entrypoint" in wanted:
        inner["Entrypoint"], inner["Cmd"] = wanted["entrypoint"], wanted.get("cmd")
    elif "cmd" in wanted:
        inner["Cmd"] = wanted["cmd"]
    elif not inner.get("Cmd") and not inner.get("Entrypoint"):
        inner["Cmd"] = ["python"]
    inner["Env"] = [f"{name}={value}" for name, value in env.items()]
    inner["Labels"] = {
        **(inner.get("Labels") or {}),
        **target.get("gpu", {}).get("labels", {}),
        **wanted["labels"],
    }
    inner["User"] = wanted.get("user") or inner.get("User")
    inner["WorkingDir"] = wanted["workdir"]
    below = [row["diff-id"] for row in target["image"]["layers"]]
    told = base.get("history") or []
    if sum(not entry.get("empty_layer") for entry in told) != len(below):
        told = [{"created": CREATED, "created_by": "base"} for _ in below]
    kept = {key: value for key, value in inner.items() if value and key not in {"OnBuild", "Image"}}
    document = {
        **platform_of(target),
        **({"variant": base["variant"]} if base.get("variant") else {}),
        "created": CREATED,
        "config": kept,
        "rootfs": {"type": "layers", "diff_ids": [*below, *(layer.diff_id for layer in layers)]},
        "history": [*told, *({"created": CREATED, "created_by": text} for text in history)],
    }
    return canonical(document)


def image_config(
    wanted: Mapping[str, Any],
    target: Mapping[str, Any],
    layers: Sequence[Layer],
    history: Sequence[str],
    prefix: str,
) -> bytes:
    folders = f"/{prefix}/bin"
    if "conda" in target and prefix == "opt/venv":
        folders += ":/opt/conda/bin"
    env = {
        "PATH": f"{folders}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "CONDA_PREFIX" if prefix == "opt/conda" else "VIRTUAL_ENV": f"/{prefix}",
        "LANG": "C.UTF-8",
        **dict(sorted(target.get("gpu", {}).get("env", {}).items())),
        **dict(sorted(wanted["env"].items())),
    }
    inner = {
        "Env": [f"{name}={value}" for name, value in env.items()],
        "Entrypoint": wanted.get("entrypoint"),
        "Cmd": wanted.get("cmd", [] if "entrypoint" in wanted else ["python"]),
        "User": wanted.get("user"),
        "WorkingDir": wanted["workdir"],
        "Labels": {**target.get("gpu", {}).get("labels", {}), **wanted["labels"]},
    }
    document = {
        **platform_of(target),
        "created": CREATED,
        "config": {key: value for key, value in inner.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created": CREATED, "created_by": text} for text in history],
    }
    return canonical(document)


if __name__ == "__main__":
    print(json.dumps(images(Path(sys.argv[1]), Path(sys.argv[2])), indent=2))  # noqa: T201 - its output
