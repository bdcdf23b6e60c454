"""Locks of every shape, for property tests."""

from __future__ import annotations

from typing import get_args
from urllib.parse import quote

from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.gpu.model import Word
from envfreeze.locking.model import (
    SCHEMA,
    WRITER,
    AptBase,
    AptIndex,
    Archive,
    Deb,
    Devel,
    FleetVerdict,
    GpuFacts,
    LayerSeal,
    Lock,
    PlannedLayer,
    Runtime,
    Source,
    StandalonePython,
    Target,
    Wheel,
)
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

texts = st.text(st.characters(codec="utf-8"), max_size=20)
names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(
    lambda name: "--" not in name
)
digests = st.binary(min_size=32, max_size=32).map(lambda content: Digest(content.hex()))
sizes = st.integers(0, 2**50)
versions = st.from_regex(
    r"[1-9][0-9]?(\.[1-9]){0,2}(rc1|\.post2|\+cu128)?", fullmatch=True, alphabet=st.characters(codec="ascii")
)
folders = st.lists(st.text("aZ _%é?#+~'", min_size=1, max_size=6), max_size=2).map("/".join)


@st.composite
def wheels(draw: st.DrawFn) -> Wheel:
    name, version = draw(names), draw(versions)
    tag = draw(st.sampled_from(["py3-none-any", "cp313-cp313-manylinux_2_28_x86_64"]))
    filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
    folder = draw(folders)
    path = f"{folder}/{filename}" if folder else filename
    root = draw(
        st.sampled_from(["https://files.example.org:8443/", "http://127.0.0.1/", "file:///opt/", "file:"])
    )
    return Wheel(
        name=name,
        version=version,
        filename=filename,
        digest=draw(digests),
        size=draw(st.none() | sizes),
        url=root + quote(path),
        requested=draw(st.booleans()),
        direct=draw(st.booleans()),
        dependencies=tuple(sorted(draw(st.sets(names, max_size=3)))),
        index=draw(st.none() | st.just("https://index.example.org:8443/simple/cu128")),
    )


tools = wheels().map(lambda tool: replace(tool, requested=False, direct=False, dependencies=(), index=None))


@st.composite
def built(draw: st.DrawFn) -> Wheel:
    """A wheel that was built."""
    wheel = draw(wheels())
    kind = draw(st.sampled_from(["sdist", "archive", "git", "directory"]))
    url, size, commit, revision = (
        wheel.url.removesuffix(quote(wheel.filename)) + quote(f"{wheel.name}-{wheel.version}.tar.gz"),
        None,
        None,
        None,
    )
    if kind == "directory":
        url = draw(folders) or "."
    elif kind == "git":
        url = draw(st.sampled_from(["https://example.org/x.git", "ssh://git@example.org/x", "file:///srv/x"]))
        commit, revision = draw(st.binary(min_size=20, max_size=20)).hex(), draw(st.none() | texts)
    else:
        size = draw(st.none() | sizes)
    source = Source(
        kind,
        url,
        draw(digests),
        size,
        commit,
        revision,
        None if kind == "sdist" else draw(st.none() | st.just("sub/folder")),
        python=draw(st.sampled_from(["3.13", "3.11"])),
        requires=tuple(draw(st.lists(tools, max_size=2))),
        notes=tuple(draw(st.lists(texts, max_size=2))),
        devel=draw(st.none() | digests),
    )
    return replace(
        wheel,
        size=draw(sizes),
        url=f"file:{quote(url)}" if kind == "directory" else url,
        direct=kind != "sdist",
        source=source,
        index=wheel.index if kind == "sdist" else None,
    )


@st.composite
def bases(draw: st.DrawFn) -> AptBase:
    some_places = st.lists(texts, max_size=2).map(tuple)
    archives = draw(
        st.lists(st.builds(Archive, texts, some_places, st.none() | st.binary(max_size=9)), max_size=2)
    )
    known = st.sampled_from([archive.name for archive in archives] or [""])
    filenames = texts.map(lambda text: f"pool/{text.replace('..', '')}.deb")
    needs = st.lists(texts, min_size=1, max_size=3).map(tuple) | st.just(())
    debs = st.builds(Deb, texts, texts, texts, filenames, digests, sizes, known, st.booleans(), needs)
    indexes = st.builds(AptIndex, known, texts, st.lists(texts, max_size=2).map(tuple), texts, digests)
    some = 3 if archives else 0
    return AptBase(
        reference=draw(texts),
        archives=tuple(archives),
        indexes=tuple(draw(st.lists(indexes, max_size=some))),
        packages=tuple(draw(st.lists(debs, max_size=some))),
        notes=tuple(draw(st.lists(texts, max_size=2))),
    )


layers = st.builds(
    PlannedLayer,
    st.sampled_from(["debs", "system", "python", "wheels", "environment"]),
    texts,
    st.lists(texts, max_size=12).map(tuple),
    st.none() | st.builds(LayerSeal, digests, digests, sizes),
)


some_cuda = st.none() | st.sampled_from(["12.8", "12.8.90", "13"])
gpus = st.builds(
    GpuFacts,
    cuda=some_cuda,
    runtime=some_cuda,
    toolkit=some_cuda,
    cudnn=some_cuda,
    sources=st.lists(texts, max_size=3).map(tuple),
    tables=digests,
    fleet=st.lists(
        st.builds(FleetVerdict, st.none() | texts, st.none() | texts, st.sampled_from(get_args(Word))),
        max_size=3,
    ).map(tuple),
    env=st.dictionaries(texts, texts, max_size=3),
)


standalone = st.builds(
    StandalonePython,
    version=st.just("3.13.5"),
    build=st.sampled_from(["20260807", "20191025"]),
    filename=st.sampled_from(
        ["cpython-3.13.5+20260807-x86_64-unknown-linux-gnu-install_only.tar.gz", "a b.é"]
    ),
    digest=digests,
    size=sizes,
    urls=st.lists(
        st.sampled_from(["https://example.org/a%2Bb.tar.gz", "http://127.0.0.1:8/x", "file:///srv/x"]),
        min_size=1,
        max_size=3,
    ).map(tuple),
    prefix=st.sampled_from(["opt/python", "opt/envfreeze/python"]),
)


devels = st.builds(
    Devel,
    python=st.sampled_from(["3.13.5", "3.11.2"]),
    glibc=st.sampled_from(["2.41", "2.36"]),
    base=bases(),
    env=st.dictionaries(texts, texts, max_size=2).map(lambda env: dict(sorted(env.items()))),
)


def targets(platform: str) -> st.SearchStrategy[Target]:
    return (
        st.builds(
            Target,
            platform=st.just(Platform.parse(platform)),
            python=st.sampled_from(["3.13.5", "3.11.2", "3.15.0rc1"]),
            glibc=st.sampled_from(["2.41", "2.36"]),
            manylinux=st.sampled_from(["manylinux_2_40", "manylinux_2_36"]),
            base=bases(),
            wheels=st.lists(wheels() | built(), max_size=4, unique_by=lambda wheel: wheel.name).map(
                lambda found: tuple(sorted(found, key=lambda wheel: wheel.name))
            ),
            layers=st.lists(layers, max_size=4).map(tuple),
            manifest=st.none() | digests,
            gpu=st.none() | gpus,
            environment=st.sampled_from(["opt/venv", "opt/envfreeze/venv"]),
            workdir_free=st.booleans(),
            devel=st.none() | devels,
        )
        .flatmap(
            lambda target: (
                st.builds(replace, st.just(target), standalone=st.none() | standalone)
                if target.python == "3.13.5"
                else st.just(target)
            )
        )
        .map(lambda target: target if target.manifest is not None else replace(target, workdir_free=False))
    )


lists = st.lists(texts, max_size=3).map(tuple)
maps = st.dictionaries(texts, texts, max_size=3)
runtimes = st.builds(
    Runtime, maps, maps, lists, st.none() | texts, texts, st.none() | lists, st.none() | lists
)

locks = st.builds(
    Lock,
    schema=st.just(SCHEMA),
    writer=st.just(WRITER),
    inputs=st.dictionaries(texts, digests, max_size=3),
    exclude_newer=st.none() | st.just("2026-01-01T00:00:00Z"),
    runtime=runtimes,
    targets=st.sampled_from([("linux/amd64",), ("linux/arm64",), ("linux/arm64", "linux/amd64"), ()]).flatmap(
        lambda platforms: st.tuples(*map(targets, platforms))
    ),
)
