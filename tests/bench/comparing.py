"""`envfreeze diff`: how fast it is where images share layers, and what others say of the same pairs.

python tests/bench/run.py diff     # two images of 5 GB
python tests/bench/run.py peers    # a table in Markdown, for docs/explanation/side-by-side.md
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

GIGABYTE = 1_000_000_000
LARGE_LAYERS = 5
FILES = 20
CHUNK = 1 << 20
RUNS = 5
PEER_SECONDS = 120


def large_layers(folder: Path) -> list[Any]:
    """Layers of a gigabyte each, that no compressor makes smaller."""
    import hashlib

    from envfreeze.digest import Digest
    from envfreeze.oci import media
    from envfreeze.oci.image import FileLayer

    made = []
    for number in range(LARGE_LAYERS):
        path, hashed = folder / f"layer-{number}", hashlib.sha256()
        source = random.Random(number)
        block = source.randbytes(CHUNK)
        with path.open("wb") as file:

            def write(piece: bytes, file: Any = file, hashed: Any = hashed) -> None:
                file.write(piece)
                hashed.update(piece)

            for name in range(FILES):
                info = tarfile.TarInfo(f"opt/data/{number}/{name}.bin")
                info.size = GIGABYTE // FILES // CHUNK * CHUNK
                write(info.tobuf())
                for at in range(info.size // CHUNK):
                    write(block[at % CHUNK :] + block[: at % CHUNK])
            write(bytes(1024))
        path.chmod(0o444)
        digest = Digest(hashed.hexdigest())
        made.append(FileLayer(digest, digest, path.stat().st_size, media.LAYER, path))
    return made


def small_layer(folder: Path, name: str, files: dict[str, bytes]) -> Any:
    """A layer of a few files."""
    from envfreeze.digest import Digest
    from envfreeze.oci import media
    from envfreeze.oci.image import FileLayer

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    path = folder / name
    path.write_bytes(out.getvalue())
    digest = Digest.of(out.getvalue())
    return FileLayer(digest, digest, len(out.getvalue()), media.LAYER, path)


def image_of(layers: list[Any]) -> Any:
    """An image of layers."""
    from envfreeze.oci.image import ImageValue
    from envfreeze.oci.manifest import config_json, manifest_json
    from envfreeze.oci.platform import Platform

    config = config_json(
        platform=Platform("linux", "amd64"),
        env=[],
        labels={},
        user=None,
        workdir=None,
        entrypoint=None,
        cmd=None,
        layers=[(layer.diff_id, f"RUN step {number}") for number, layer in enumerate(layers)],
    )
    return ImageValue(manifest_json(config, layers), config, tuple(layers))


def bench_diff(show: Callable[..., None], envfreeze: Path, home: Path, peak: Callable[[int], Any]) -> None:
    """Compare two images of 5 GB: all but one layer shared; and no layer shared."""
    from envfreeze.oci import layout

    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix="diff-") as name:
        folder = Path(name)
        large = large_layers(folder)
        small = [small_layer(folder, f"small-{one}", {"app/train.py": one}) for one in (b"1\n", b"2\n")]
        site = "opt/venv/lib/python3.13/site-packages"
        wheels = [
            small_layer(
                folder,
                f"wheel-{version}",
                {f"{site}/a-{version}.dist-info/METADATA": b"", f"{site}/a/__init__.py": version.encode()},
            )
            for version in ("1.0", "2.0")
        ]
        below = small_layer(folder, "below", {"etc/hostname": b"a\n"})
        pairs = {
            "the top layer differs": ([*large, small[0]], [*large, small[1]]),
            "a package in the middle differs": (
                [*large[:2], wheels[0], *large[2:]],
                [*large[:2], wheels[1], *large[2:]],
            ),
            "all layers read, equal but for their cut": ([*large[:2], below, *large[2:]], [below, *large]),
        }
        for what, stacks in pairs.items():
            for side, layers in zip(("old", "new"), stacks, strict=True):
                layout.write(image_of(layers), folder / side)
            read_whole = "all layers" in what
            seconds, memory = [], 0
            for _ in range(1 if read_whole else RUNS):
                started = time.perf_counter()
                process = subprocess.Popen(
                    [envfreeze, "diff", "--quiet", folder / "old", folder / "new"],
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                watched = peak(process.pid)
                if process.wait() not in {0, 1}:
                    sys.exit("the comparison failed")
                seconds.append(time.perf_counter() - started)
                memory = max(memory, watched.stop())
            promised = "" if read_whole else "promised: under 2"
            show(f"diff of two images of 5 GB, {what}", statistics.median(seconds), "s", promised)
            show("  peak resident memory without mapped files", memory / 1e6, "MB", "promised: at most 200")


def mutations() -> ModuleType:
    """The pairs of tests/compare."""
    path = Path(__file__).parents[1] / "compare" / "mutations.py"
    spec = importlib.util.spec_from_file_location("mutations", path)
    if spec is None or spec.loader is None:
        sys.exit(f"there is no {path}")
    sys.modules["mutations"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def saved(image: Any, layers: list[Any], path: Path) -> None:
    """What `docker save` writes, with layers named by their place: the form that diffoscope sees most in."""
    with tarfile.open(path, "w") as archive:

        def add(name: str, content: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))

        names = [f"layer-{number}.tar" for number in range(1, len(layers) + 1)]
        add("config.json", image.config)
        for name, layer in zip(names, layers, strict=True):
            add(name, layer.tar())
        add("manifest.json", json.dumps([{"Config": "config.json", "Layers": names}]).encode())


def said_by_diffoscope(old: Path, new: Path) -> list[str]:
    """The lines that diffoscope prints; no lines: it sees no difference."""
    done = subprocess.run(
        ["diffoscope", "--text", "-", old, new],
        capture_output=True,
        text=True,
        timeout=PEER_SECONDS,
        check=False,
    )
    return done.stdout.splitlines()


def named(lines: list[str]) -> list[str]:
    """The files that diffoscope opens a section for, but for config and manifest."""
    found = []
    for line in lines:
        match = re.match(r"(?:│ )*├── (.*)$", line)
        if match and match[1] not in {"config.json", "manifest.json", "Pretty-printed", "file list"}:
            found.append(match[1])
    return found


def told(report: Any, kind: str) -> str:
    """The finding that tells a mutation, in a table's cell."""
    verdict = report.verdict
    found = next(one for one in verdict.findings if one.kind.value == kind)
    cause = "" if found.cause.name == "unknown" else f", {found.cause.name}"
    place = f" {found.package}" if found.package and found.path is None else ""
    place += "" if found.path is None else f" `{short(found.path)}`"
    return f"{verdict.level.value}: {found.kind.value}{place}{cause}"


def short(path: str) -> str:
    """The end of a path."""
    return path.replace("opt/venv/lib/python3.13/site-packages/", "…/")


def rows() -> Iterator[str]:
    """One row for each mutation."""
    import envfreeze
    from envfreeze.oci import archive

    module = mutations()
    original = module.original()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        places = {side: (folder / f"{side}.tar", folder / f"{side}.oci.tar") for side in ("old", "new")}
        archive.write(original.image(), places["old"][1])
        saved(original.image(), original.layers, places["old"][0])
        for mutation in module.MUTATIONS:
            changed = original.copy()
            mutation.change(changed)
            archive.write(changed.image(), places["new"][1])
            saved(changed.image(), changed.layers, places["new"][0])
            report = envfreeze.diff(str(places["old"][1]), str(places["new"][1]), root=folder)
            both = [said_by_diffoscope(places["old"][form], places["new"][form]) for form in (0, 1)]
            files = [short(one) for one in named(both[0])]
            seen = f"{len(both[0])} lines: `{'`, `'.join(files[:3])}`" if files else f"{len(both[0])} lines"
            cells = (
                mutation.name,
                told(report, mutation.kind),
                seen if both[0] else "nothing",
                str(len(both[1])),
            )
            yield f"| {' | '.join(cells)} |"


def bench_peers() -> None:
    """Show what diffoscope prints of each mutated image, beside `diff`."""
    if shutil.which("diffoscope") is None:
        print("diffoscope is not on this machine: apt-get install diffoscope-minimal")
        return
    version = subprocess.run(["diffoscope", "--version"], capture_output=True, text=True, check=True).stdout
    os.environ.setdefault("ENVFREEZE_CACHE", tempfile.gettempdir() + "/envfreeze-peers")
    print(f"| mutation | `envfreeze diff` | {version.strip()}, saved | OCI archive, lines |")
    print("|---|---|---|---|")
    for row in rows():
        print(row, flush=True)
