"""Measure what the project promises, each figure against a floor or a peer in the same run.

    python tests/bench/run.py             # everything
    python tests/bench/run.py help floor  # only these

The torch GPU stack is locked and downloaded once (3 GB) into a cache of the benchmark's own, which is kept
between runs: ENVFREEZE_BENCH_DIR, or a folder in the user's cache. Nothing here asserts: it prints.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

from comparing import bench_diff, bench_peers

ENVFREEZE = Path(sys.executable).with_name("envfreeze")
UV = Path(sys.executable).with_name("uv")
EXAMPLE = Path(__file__).parents[2] / "examples" / "torch-gpu"
REQUIREMENTS = Path(__file__).with_name("ml-requirements.txt")
DEFAULT = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "envfreeze-bench"
HOME = Path(os.environ.get("ENVFREEZE_BENCH_DIR", DEFAULT))
WORKERS = os.cpu_count() or 1
RUNS = 5


def main(chosen: list[str]) -> None:
    """Run the benchmarks asked for, or all."""
    benchmarks = {
        "help": bench_help,
        "crc": bench_crc,
        "tables": bench_tables,
        "records-defined": bench_definitions,
        "floor": bench_floor,
        "rebuild": bench_rebuild,
        "verify": bench_verify,
        "registry": bench_registry,
        "peer": bench_peer,
        "lock": bench_lock,
        "sizes": bench_sizes,
        "records": bench_records,
        "diff": lambda: bench_diff(show, ENVFREEZE, HOME, PeakMemory),
    }
    # What others print is no figure: only on request.
    if "peers" in chosen:
        benchmarks["peers"] = bench_peers
    for name in chosen or benchmarks:
        benchmarks[name]()


def show(name: str, value: float, unit: str, promised: str = "") -> None:
    """Print one figure."""
    print(f"{name:<58} {value:>9.2f} {unit:<4} {promised}", flush=True)


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run a command that must succeed and return what it prints."""
    done = subprocess.run(
        [str(part) for part in command], env=env, cwd=cwd, check=False, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed with {done.returncode}")
    return done.stdout.strip()


def timed(*command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> float:
    """Seconds of wall time that a command takes."""
    started = time.perf_counter()
    run(*command, env=env, cwd=cwd)
    return time.perf_counter() - started


def bench_help() -> None:
    """How long the command line takes to say what it can do."""
    seconds = [timed(ENVFREEZE, "--help") for _ in range(RUNS + 1)][1:]
    show("envfreeze --help, median", statistics.median(seconds), "s", "promised: under 0.3")


def bench_definitions() -> None:
    """How long a record of five fields takes to define, either way that the project has."""
    from dataclasses import make_dataclass

    from msgspec import defstruct

    fields = [("a", int), ("b", str), ("c", tuple), ("d", int, 0), ("e", str, "")]
    count = 200
    for name, define in (
        ("a frozen dataclass with slots", lambda: make_dataclass("One", fields, frozen=True, slots=True)),
        ("a frozen Struct of msgspec", lambda: defstruct("One", fields, frozen=True)),
    ):
        started = time.perf_counter()
        for _ in range(count):
            define()
        show(f"defining {name}", (time.perf_counter() - started) / count * 1e6, "µs")


def bench_tables() -> None:
    """How long the GPU tables take to read and parse, all of them."""
    from envfreeze.gpu import tables

    seconds = []
    for _ in range(RUNS):
        started = time.perf_counter()
        tables.load(Path(tables.__file__).with_name("data"))
        seconds.append(time.perf_counter() - started)
    show("reading all GPU tables, median", statistics.median(seconds) * 1000, "ms")


def bench_crc() -> None:
    """What computing a CRC-32 with each library leaves of the speed of SHA-256."""
    import deflate
    from isal import isal_zlib

    data = os.urandom(1 << 20)
    rounds = 500
    for name, crc32 in (("libdeflate", deflate.crc32), ("isal", isal_zlib.crc32)):
        digest, seconds = hashlib.sha256(), 0.0
        for _ in range(rounds):
            crc32(data, 0)
            started = time.perf_counter()
            digest.update(data)
            seconds += time.perf_counter() - started
        show(f"sha256 after a CRC-32 by {name}", rounds * len(data) / seconds / 1e9, "GB/s")


def stack() -> tuple[Path, dict[str, str], list[Path]]:
    """The locked torch project, the environment to run envfreeze in, and its wheels in the cache."""
    project = HOME / "torch-gpu"
    env = os.environ | {"ENVFREEZE_CACHE": str(HOME / "cache")}
    if not (project / "envfreeze.lock").exists():
        shutil.copytree(EXAMPLE, project, dirs_exist_ok=True)
        run(ENVFREEZE, "lock", "--quiet", env=env, cwd=project)
    run(ENVFREEZE, "build", "--quiet", "--no-record", env=env, cwd=project)
    from envfreeze.locking import files
    from envfreeze.store.cache import Cache

    os.environ["ENVFREEZE_CACHE"] = env["ENVFREEZE_CACHE"]
    lock = files.read(project)
    cache = Cache.open()
    wheels = [cache.find(wheel.digest) for wheel in lock.targets[0].wheels]
    return project, env, [path for path in wheels if path is not None]


def forget_layers(env: dict[str, str], project: Path, *, keep_system: bool = False) -> None:
    """Drop the layers and what is known of them from the cache, and keep the downloads.

    With `keep_system` the layers below the wheels stay.
    """
    from envfreeze.engines.native import known
    from envfreeze.locking import files
    from envfreeze.store.cache import Cache

    cache = Cache.open(Path(env["ENVFREEZE_CACHE"]))
    lock = files.read(project)
    keep = {wheel.digest for target in lock.targets for wheel in target.wheels}
    keep |= {deb.digest for target in lock.targets for deb in target.base.packages}
    system = {}
    for target in lock.targets:
        for layer in target.layers:
            key = known.key_of(target, layer, lock.writer)
            seal = known.recall_layer(cache, key) if layer.kind in {"debs", "system"} else None
            if keep_system and seal is not None:
                system[key] = seal, known.recall_paths(cache, key) or []
                keep.add(seal.digest)
    kept = {cache.find(digest) for digest in keep}
    for path in (cache.root / "blobs").rglob("*"):
        if path.is_file() and path not in kept:
            path.unlink()
    for facts in (cache.root / "facts").iterdir():
        # That a download was checked when it came is not knowledge of a layer.
        if facts.name != "checked":
            shutil.rmtree(facts)
    shutil.rmtree(project / ".envfreeze", ignore_errors=True)
    for key, (seal, paths) in system.items():
        known.remember_layer(cache, key, seal)
        known.remember_paths(cache, key, paths)


def floor(path: Path) -> int:
    """What cannot be left out for one wheel: hash it, inflate every member, hash what comes out."""
    import mmap

    from isal import igzip_lib

    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    hashlib.sha256(mapped)
    view = memoryview(mapped)
    content = hashlib.sha256()
    total = 0
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
    for info in infos:
        at = info.header_offset + 26
        start = (
            at
            + 4
            + int.from_bytes(view[at : at + 2], "little")
            + int.from_bytes(view[at + 2 : at + 4], "little")
        )
        data = view[start : start + info.compress_size]
        if info.compress_type == zipfile.ZIP_STORED:
            content.update(data)
            total += len(data)
            continue
        inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_DEFLATE)
        position = 0
        while not inflater.eof:
            piece = b""
            if inflater.needs_input:
                piece = data[position : position + (1 << 16)]
                position += len(piece)
            output = inflater.decompress(piece, 1 << 20)
            content.update(output)
            total += len(output)
    return total


class PeakMemory:
    """The peak of a process's resident memory that is not a mapped file (RssAnon in /proc), in bytes."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.peak = 0
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            with contextlib.suppress(OSError, ValueError, StopIteration):
                lines = self._status.read_text().splitlines()
                line = next(line for line in lines if line.startswith("RssAnon"))
                self.peak = max(self.peak, int(line.split()[1]) * 1024)

    def stop(self) -> int:
        """Stop watching and return the peak."""
        self._over.set()
        self._thread.join()
        return self.peak


def bench_floor() -> None:
    """Assemble the torch stack from its downloads, against the floor: its wheels, then with the OS too."""
    project, env, wheels = stack()
    show("wheels", len(wheels), "")
    show("wheels", sum(path.stat().st_size for path in wheels) / 1e9, "GB")
    against_floor("the wheels' layers", project, env, wheels, keep_system=True)
    against_floor("all layers, OS packages too", project, env, wheels, keep_system=False)


def against_floor(
    what: str, project: Path, env: dict[str, str], wheels: list[Path], *, keep_system: bool
) -> None:
    """Build three times, each time right after the floor, and print the medians."""
    by_size = sorted(wheels, key=lambda path: -path.stat().st_size)
    ratios, peaks, floors, builds, work = [], [], [], [], []
    for _ in range(3):
        # What an earlier run has written must not slow down this one.
        os.sync()
        started, processor = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(WORKERS) as pool:
            unpacked = sum(pool.map(floor, by_size))
        floors.append(time.perf_counter() - started)
        processor = time.process_time() - processor
        # Right before the build, so that the memory of the files dropped here is at hand for those that it
        # writes: a virtual machine gives free memory back after seconds, and 3 GB anew cost it up to 8.
        forget_layers(env, project, keep_system=keep_system)
        command = [str(ENVFREEZE), "build", "--quiet", "--no-record", "--offline"]
        started, children = time.perf_counter(), sum(os.times()[2:4])
        process = subprocess.Popen(command, env=env, cwd=project, stdout=subprocess.DEVNULL)
        memory = PeakMemory(process.pid)
        if process.wait():
            sys.exit("the build failed")
        builds.append(time.perf_counter() - started)
        peaks.append(memory.stop())
        ratios.append(builds[-1] / floors[-1])
        work.append((sum(os.times()[2:4]) - children) / processor)
    print(f"{what}:")
    show("  unpacked", unpacked / 1e9, "GB")
    show("  floor: sha256, inflate, sha256 of the content, median", statistics.median(floors), "s")
    show("  envfreeze build from downloads alone, median", statistics.median(builds), "s")
    promised = "promised: at most 1.5" if keep_system else ""
    show("  ratio to the floor, median of the pairs", statistics.median(ratios), "x", promised)
    show("  ratio of processor time, median of the pairs", statistics.median(work), "x")
    show("  peak resident memory without mapped files", max(peaks) / 1e6, "MB", "promised: at most 400")


def bench_rebuild() -> None:
    """Build again: nothing changed; and one small package changed."""
    project, env, _ = stack()
    build = (ENVFREEZE, "build", "--quiet", "--offline", "--no-record")
    seconds = [timed(*build, env=env, cwd=project) for _ in range(RUNS)]
    show("unchanged rebuild, median", statistics.median(seconds), "s", "promised: under 1.5")
    changed = HOME / "torch-gpu-changed"
    if not (changed / "envfreeze.lock").exists():
        shutil.copytree(project, changed, ignore=shutil.ignore_patterns(".envfreeze"), dirs_exist_ok=True)
        pyproject = changed / "pyproject.toml"
        text = pyproject.read_text().replace(
            "dependencies = [", 'dependencies = [\n    "typing-extensions<4.16",'
        )
        pyproject.write_text(text)
        run(ENVFREEZE, "lock", "--quiet", env=env, cwd=changed)
    run(ENVFREEZE, "build", "--quiet", "--no-record", env=env, cwd=changed)
    seconds = []
    for _ in range(RUNS):
        forget_layers(env, changed)
        run(ENVFREEZE, "build", "--quiet", "--no-record", env=env, cwd=project)
        seconds.append(timed(*build, env=env, cwd=changed))
    show(
        "rebuild after one small package changed, median",
        statistics.median(seconds),
        "s",
        "promised: under 3",
    )


def bench_verify() -> None:
    """Verify the torch image, which makes all its layers anew, against the build from the same downloads."""
    project, env, _ = stack()
    with tempfile.TemporaryDirectory(dir=HOME) as folder:
        work = Path(folder) / "project"
        shutil.copytree(project, work, ignore=shutil.ignore_patterns(".envfreeze", ".git"))
        git = ("git", "-C", work, "-c", "user.name=bench", "-c", "user.email=bench@example.org")
        run(*git, "init", "--quiet")
        run(*git, "add", "--all")
        run(*git, "commit", "--quiet", "--message", "frozen")
        builds, verifications = [], []
        for _ in range(3):
            os.sync()
            forget_layers(env, work)
            started = time.perf_counter()
            digest = run(ENVFREEZE, "build", "--quiet", "--offline", env=env, cwd=work)
            builds.append(time.perf_counter() - started)
            os.sync()
            verifications.append(
                timed(ENVFREEZE, "verify", "--quiet", "--offline", digest, env=env, cwd=work)
            )
    show("envfreeze build of the torch image, median", statistics.median(builds), "s")
    show("envfreeze verify of it, median", statistics.median(verifications), "s")
    ratio = statistics.median(ours / build for ours, build in zip(verifications, builds, strict=True))
    show("  ratio to the build, median of the pairs", ratio, "x", "promised: at most 1.3")


def bench_registry() -> None:
    """Push the torch image, and build it on a machine that has nothing but a registry with the layers."""
    if shutil.which("docker-registry") is None:
        print("registry: left out, there is no docker-registry on this machine (Debian: docker-registry)")
        return
    project, env, _ = stack()
    data = HOME / "registry"
    shutil.rmtree(data, ignore_errors=True)
    try:
        with served(data) as host:
            build = (ENVFREEZE, "build", "--quiet", "--no-record", "--push")
            seconds = timed(*build, f"{host}/team/torch:main", env=env, cwd=project)
            size = sum(path.stat().st_size for path in (data / "data").rglob("*") if path.is_file())
            show("pushed to a registry on this machine", size / 1e9, "GB")
            show("  seconds", seconds, "s")
            again = HOME / "torch-gpu-again"
            shutil.rmtree(again, ignore_errors=True)
            shutil.copytree(project, again, ignore=shutil.ignore_patterns(".envfreeze"))
            print("the same built and pushed with an empty cache, --cache-from:")
            from_layers(host, again, env)
            print("the same with another line in the script:")
            from_layers(host, again, env, script=again / "train.py")
            shutil.rmtree(again)
    finally:
        shutil.rmtree(data, ignore_errors=True)


def from_layers(host: str, project: Path, env: dict[str, str], script: Path | None = None) -> None:
    """Build several times, each time with an empty cache, and print bytes on the wire and seconds."""
    spec = importlib.util.spec_from_file_location("wire", Path(__file__).parents[1] / "wire.py")
    wires = importlib.util.module_from_spec(spec)
    sys.modules["wire"] = wires
    spec.loader.exec_module(wires)
    moved, seconds = [], []
    for turn in range(RUNS):
        if script is not None:
            script.write_text(script.read_text() + f"# {turn}\n")
        empty = HOME / "empty-cache"
        shutil.rmtree(empty, ignore_errors=True)
        nothing_else = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
        with wires.before(host) as wire:
            name = f"{wire.host}/team/torch"
            command = (ENVFREEZE, "build", "--quiet", "--no-record", "--push", f"{name}:again")
            seconds.append(
                timed(
                    *command,
                    "--cache-from",
                    f"{name}:main",
                    env=env | nothing_else | {"no_proxy": "127.0.0.1", "ENVFREEZE_CACHE": str(empty)},
                    cwd=project,
                )
            )
        moved.append(wire.moved)
        shutil.rmtree(empty)
    show("  bytes in both directions, most", max(moved) / 1e3, "kB", "promised: under 200")
    show("  the whole command, median", statistics.median(seconds), "s", "promised: under 3")


@contextlib.contextmanager
def served(data: Path) -> Iterator[str]:
    """Run Debian's docker-registry over a folder; its host and port."""
    data.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    (data / "config.yml").write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {data}/data}}}}\nhttp: {{addr: '{host}'}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(data / "config.yml")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            with contextlib.suppress(OSError), socket.create_connection(tuple(host.split(":"))):
                break
            time.sleep(0.1)
        yield host
    finally:
        process.terminate()
        process.wait()


def bench_peer() -> None:
    """Assemble, against unpacking the same wheels with uv and compressing the result with gzip -6."""
    project, env, _ = stack()
    forget_layers(env, project)
    ours = timed(ENVFREEZE, "build", "--quiet", "--no-record", "--offline", env=env, cwd=project)
    from envfreeze.locking import files
    from envfreeze.store.cache import Cache

    links = HOME / "wheels"
    shutil.rmtree(links, ignore_errors=True)
    links.mkdir()
    cache = Cache.open(Path(env["ENVFREEZE_CACHE"]))
    for wheel in files.read(project).targets[0].wheels:
        found = cache.find(wheel.digest)
        if found is not None:
            (links / wheel.filename).hardlink_to(found)
    unpacked = HOME / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    python = files.read(project).targets[0].python
    started = time.perf_counter()
    run(
        UV, "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-config", "--target", unpacked,
        "--link-mode", "copy", "--cache-dir", HOME / "uv-cache", "--python-version", python,
        "--python-platform", "x86_64-manylinux_2_40", *sorted(links.glob("*.whl")),
    )  # fmt: skip
    with (HOME / "peer.tar.gz").open("wb") as out:
        tar = subprocess.Popen(["tar", "-C", str(unpacked), "-cf", "-", "."], stdout=subprocess.PIPE)
        subprocess.run(["gzip", "-6"], stdin=tar.stdout, stdout=out, check=True)
        tar.wait()
    peer = time.perf_counter() - started
    show("envfreeze build from downloads alone", ours, "s")
    show("uv unpacks, tar and gzip -6 compress", peer, "s")
    show("times faster", peer / ours, "x", "promised: at least 15")
    for leftover in (unpacked, links, HOME / "uv-cache"):
        shutil.rmtree(leftover, ignore_errors=True)
    (HOME / "peer.tar.gz").unlink()


def bench_lock() -> None:
    """Lock an ML set of 12 requirements, against uv alone in the same run and with the same cache."""
    project = HOME / "ml-lock"
    project.mkdir(parents=True, exist_ok=True)
    shutil.copy(REQUIREMENTS, project / "requirements.txt")
    env = os.environ | {"ENVFREEZE_CACHE": str(HOME / "cache"), "UV_CACHE_DIR": str(HOME / "lock-uv-cache")}
    # An installed package has its bytecode.
    env.pop("PYTHONDONTWRITEBYTECODE", None)

    def forget() -> None:
        for path in project.glob("*lock*"):
            path.unlink()

    forget()
    run(ENVFREEZE, "lock", "--quiet", env=env, cwd=project)
    from envfreeze.locking import files, pip
    from envfreeze.project.load import load
    from envfreeze.store.cache import Cache

    cache = Cache.open(HOME / "cache")
    target = files.read(project).targets[0]
    show("packages in the lock", len(target.wheels), "")
    pip_target = pip.PipTarget(target.platform, target.python, target.glibc)
    os.environ["UV_CACHE_DIR"] = env["UV_CACHE_DIR"]
    alone = (
        UV, "pip", "compile", "--quiet", "--no-config", "--generate-hashes", "--format", "pylock.toml",
        "--python", sys.executable, "--no-python-downloads", "--python-version", target.python,
        "--python-platform", f"{target.platform.machine}-{target.manylinux}", "requirements.txt",
        "--output-file", HOME / "pylock.uv-alone.toml",
    )  # fmt: skip
    peers, sides, locks, kept = [], [], [], []
    for turn in range(RUNS):
        (HOME / "pylock.uv-alone.toml").unlink(missing_ok=True)
        peers.append(timed(*alone, env=env, cwd=project))
        started = time.perf_counter()
        pip.resolve(load(project), pip_target, cache=cache)
        sides.append(time.perf_counter() - started)
        forget()
        locks.append(timed(ENVFREEZE, "lock", "--quiet", env=env, cwd=project))
        with (project / "requirements.txt").open("a") as file:
            file.write(f"# changed {turn}\n")
        kept.append(timed(ENVFREEZE, "lock", "--quiet", env=env, cwd=project))
    (HOME / "pylock.uv-alone.toml").unlink(missing_ok=True)
    show("uv pip compile --generate-hashes alone, median", statistics.median(peers), "s")
    show("envfreeze, pip side, median", statistics.median(sides), "s")
    ratio = statistics.median(ours / peer for ours, peer in zip(sides, peers, strict=True))
    show("  ratio to uv, median of the pairs", ratio, "x", "promised: at most 1.3")
    show("envfreeze lock, the base of the last lock kept, median", statistics.median(kept), "s")
    ratio = statistics.median(ours / peer for ours, peer in zip(kept, peers, strict=True))
    show("  ratio to uv, median of the pairs", ratio, "x", "promised: at most 1.3")
    show("envfreeze lock, the OS side made anew too, median", statistics.median(locks), "s")
    ratio = statistics.median(ours / peer for ours, peer in zip(locks, peers, strict=True))
    show("  ratio to uv, median of the pairs", ratio, "x")
    again = [timed(ENVFREEZE, "lock", "--quiet", "--offline", env=env, cwd=project) for _ in range(RUNS)]
    show("unchanged relock, offline, median", statistics.median(again), "s", "promised: under 1")
    for question in (("tree",), ("why", target.wheels[-1].name)):
        asked = [timed(ENVFREEZE, *question, env=env, cwd=project) for _ in range(RUNS)]
        show(
            f"envfreeze {question[0]} on that lock, median",
            statistics.median(asked),
            "s",
            "promised: under 0.5",
        )


def bench_sizes() -> None:
    """What torch's image weighs on a plain base, and on one that has the same CUDA's toolkit too.

    NVIDIA's devel images are not needed for that: the toolkit is on the package index as wheels. They lack
    the static libraries, so a devel image is larger than what is counted here.
    """
    plain, facts = locked_size("sizes-torch", "torch")
    toolkit, _ = locked_size("sizes-toolkit", f"cuda-toolkit[all]=={facts['cuda']}.*")
    base, _ = locked_size("sizes-base", "pip")
    show(f"torch with CUDA {facts['cuda']} on a plain base, to download", plain / 1e9, "GB")
    show("the same on a base with the toolkit, at least", (plain + toolkit - base) / 1e9, "GB")


def locked_size(name: str, requirement: str) -> tuple[int, dict[str, str]]:
    """Bytes of everything that a requirement is locked to, and what the lock says of CUDA."""
    from envfreeze.locking import files

    project = HOME / name
    project.mkdir(parents=True, exist_ok=True)
    (project / "requirements.txt").write_text(f"{requirement}\n")
    env = os.environ | {"ENVFREEZE_CACHE": str(HOME / "cache")}
    said = json.loads(run(ENVFREEZE, "lock", "--quiet", "--json", env=env, cwd=project))["targets"][0]
    (target,) = files.read(project).targets
    sizes = [deb.size for deb in target.base.packages] + [wheel.size or 0 for wheel in target.wheels]
    return sum(sizes), said.get("gpu", {})


def bench_records() -> None:
    """How long it takes to list, choose from and merge 5,000 records of images with 40 layers."""
    with tempfile.TemporaryDirectory(prefix="envfreeze-bench-") as folder:
        root = Path(folder)
        count = 5000
        digest, commit = recorded_team(root, count)
        git = ("git", "-C", root)
        questions = (
            ("log", "log"),
            ("log of a range", "log", "--commit", "main~100..main"),
            ("log of a week", "log", "--since", "2026-01-05", "--until", "2026-01-11"),
            ("find by digest", "records", "find", "--digest", digest),
            ("find by commit", "records", "find", "--commit", commit),
            ("find by package", "records", "find", "--package", "numpy==2.1.7"),
            ("log of the newest 20 as JSON", "log", "-n", "20", "--json"),
        )
        first = timed(ENVFREEZE, "log", "--quiet", cwd=root)
        show(f"envfreeze log of {count} records, the first time in a clone", first, "s")
        for name, *words in questions:
            seconds = [timed(ENVFREEZE, *words, "--quiet", cwd=root) for _ in range(RUNS)]
            show(f"{name}, {count} records, median", statistics.median(seconds), "s", "promised: under 1")
        run(*git, "update-ref", "refs/notes/other/envfreeze", "refs/notes/envfreeze")
        fresh = run(*git, "commit-tree", "refs/notes/envfreeze^{tree}", "-m", "of another clone")
        run(*git, "update-ref", "refs/notes/envfreeze", fresh)
        show("merge with as many of another clone", timed(ENVFREEZE, "records", "merge", cwd=root), "s")


def recorded_team(root: Path, count: int) -> tuple[str, str]:
    """Make a repository with a record on each of its commits, ten to a lock; a digest and a commit of it."""
    from datetime import UTC, datetime, timedelta

    from envfreeze.digest import Digest
    from envfreeze.oci.platform import Platform
    from envfreeze.records import lines
    from envfreeze.records.model import KeptFile, Record, RecordedImage, RecordedLayer, Snapshot, moment

    def digest_of(text: str) -> Digest:
        return Digest.of(text.encode())

    def imported(stream: list[str]) -> None:
        subprocess.run(
            ["git", "fast-import", "--quiet"], cwd=root, input="\n".join(stream), text=True, check=True
        )

    who = "committer A <a@example.org> 1 +0000\ndata 1\nm"
    run("git", "init", "-q", "-b", "main", root)
    locks = [
        {
            "envfreeze.lock": f"# lock {number}\n" + "# what stands in a lock besides\n" * 600,
            "pylock.toml": f'[[packages]]\nname = "numpy"\nversion = "2.1.{number}"\n'
            + "# and here\n" * 1000,
        }
        for number in range(count // 10)
    ]
    stream = []
    for number, lock in enumerate(locks):
        stream += [f"commit refs/envfreeze/kept/{number}", who]
        for name, text in lock.items():
            stream += [f"M 100644 inline lock/{name}", f"data {len(text)}", text]
    imported([*stream, *(f"commit refs/heads/main\n{who}" for _ in range(count)), ""])
    commits = run("git", "-C", root, "rev-list", "main").split()[::-1]
    blobs = {
        path: id_
        for number in range(len(locks))
        for _, _, id_, path in (
            row.split(maxsplit=3)
            for row in run("git", "-C", root, "ls-tree", "-r", f"refs/envfreeze/kept/{number}").splitlines()
        )
        for path in [f"{number}/{path.removeprefix('lock/')}"]
    }
    stream = [f"commit refs/notes/envfreeze\n{who}"]
    for number, commit in enumerate(commits):
        of = number // 10
        lock = {name: KeptFile(digest_of(text), blobs[f"{of}/{name}"]) for name, text in locks[of].items()}
        layers = tuple(RecordedLayer(digest_of(f"{of} {n}"), digest_of(f"tar {of} {n}")) for n in range(40))
        image = RecordedImage(
            Platform("linux", "amd64"), digest_of(f"image {number}"), digest_of(f"config {number}"), layers
        )
        source = Snapshot(commit, ".", dirty=False, patch=None, lock=lock, included=None)
        at = moment(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=10 * number))
        record = Record(at, "native", "0.1.0", 1, image.manifest, (image,), source)
        line = lines.render(record).decode()
        stream += [f"N inline {commit}", f"data {len(line) + 1}", line, ""]
    imported([*stream, ""])
    run("git", "-C", root, "gc", "--quiet")
    return str(digest_of("image 4711")), commits[42]


if __name__ == "__main__":
    main(sys.argv[1:])
