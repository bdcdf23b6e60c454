"""A Python of python-build-standalone: chosen, locked, built, verified; and what can be wrong with it."""

from __future__ import annotations

import json
import shutil

import pytest

import envfreeze
from envfreeze.compare.model import Level
from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, ResolutionError, UntrustedError, UsageError
from envfreeze.locking import files
from envfreeze.locking.apt import suites
from envfreeze.locking.graph import Key
from envfreeze.oci import layout
from envfreeze.oci.validate import validate
from envfreeze.project.load import load
from envfreeze.store.cache import Cache
from envfreeze.verbs.check import check
from envfreeze.verbs.outdated import outdated
from envfreeze.verbs.tree import tree
from envfreeze.verbs.verify import verify
from envfreeze.verbs.why import why

OLD, NEW = "3.12.12", "3.12.13"
RELEASE = b'ID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n'
ROCKY = b'ID=rocky\nPRETTY_NAME="Rocky 9"\n'
LIBC = b"GNU C Library stable release version 2.34."


@pytest.fixture
def builds(site, standalone_archive):
    """Serve builds, and a list of them at `/builds.json`."""
    made, urls = {}, {}

    def serve(*versions, platform="linux/amd64", **further):
        for version in versions:
            name = standalone_archive.filename(version, platform)
            made[name] = standalone_archive.archive(standalone_archive.small(version, **further))
            path = f"/pbs/{standalone_archive.BUILD}/{name}"
            site.files[path] = made[name]
            urls[name] = f"{site.url}{path.replace('+', '%2B')}"
        site.files["/builds.json"] = standalone_archive.index(made, urls)

    serve.path = lambda version: f"/pbs/{standalone_archive.BUILD}/{standalone_archive.filename(version)}"
    return serve


@pytest.fixture
def work(small_project, site, builds, monkeypatch):
    """The small project with Python 3.12, which its suite has not."""
    builds(OLD, NEW, "3.11.15", "3.14.6")
    work = small_project()
    table = json.loads(work.suites.read_text())
    shipped = suites.read(table, lambda name: (work.suites.parent / name).read_bytes())
    monkeypatch.setattr(suites, "shipped", lambda: shipped)
    use(work, 'python = "3.12"', f'python-index = "{site.url}/builds.json"')
    return work


def use(work, *lines):
    work.replace("envfreeze.toml", "[image]\n", "\n".join(["[image]", *lines, ""]))
    work.commit()


def lock(work, **options):
    with Cache.open(work.cache) as cache:
        return envfreeze.lock(load(work.root), cache=cache, **options)


def build(work, **options):
    place = work.root / ".envfreeze" / "image"
    with Cache.open(work.cache) as cache:
        made = envfreeze.build(load(work.root), cache=cache, record=False, output=place, **options)
    assert not validate(layout.read(place))
    return made


def drift(work, **options):
    with Cache.open(work.cache) as cache:
        return check(load(work.root), cache=cache, **options)


def target_of(work):
    (target,) = files.read(work.root).targets
    return target


def ok(ended):
    assert ended.code == 0, ended.stderr
    return ended


def test_a_suite_gets_a_python_that_it_has_not(work, site, standalone_archive, contents_of, tmp_path, builds):
    said = ok(work.run("lock"))
    assert "Python 3.12.13 is the build 20260807 of python-build-standalone" in said.stderr
    assert "apt:debian/trixie has Python 3.13" in said.stderr
    assert "linux/amd64: Python 3.12.13 (python-build-standalone), glibc 2.41" in said.stderr
    target = target_of(work)
    name = standalone_archive.filename(NEW)
    content = site.files[builds.path(NEW)]
    python = target.standalone
    assert (python.version, python.build, python.filename) == (NEW, "20260807", name)
    assert (python.digest, python.size) == (Digest.of(content), len(content))
    assert python.urls == (f"{site.url}/pbs/20260807/{name.replace('+', '%2B')}",)
    assert (target.python, target.interpreter) == (NEW, "/opt/python/bin/python3.12")
    assert "python3.13" not in {deb.name for deb in target.base.packages}
    assert [layer.name for layer in target.layers if layer.kind in {"system", "python", "wheels"}][:2] == [
        "system",
        "python",
    ]
    work.commit()
    with Cache.open(work.cache) as cache:
        built = envfreeze.build(load(work.root), cache=cache, archive=tmp_path / "image.tar")
        found = verify(built.digest, root=work.root, cache=cache)
    assert found.verdict.level is Level.IDENTICAL
    found = contents_of(tmp_path / "image.tar")
    assert found["opt/venv/pyvenv.cfg"] == (
        b"home = /opt/python/bin\ninclude-system-site-packages = false\nversion = 3.12.13\n"
        b"executable = /opt/python/bin/python3.12\n"
    )
    assert "opt/venv/lib/python3.12/site-packages/alpha/__init__.py" in found
    assert found["opt/python/bin/python3.12"].startswith(b"\x7fELF")
    assert not any(path.endswith(".pyc") for path in found)


def test_what_is_locked_stays_until_it_is_told_to_move(work, builds, site):
    builds(OLD)
    use(work, f'python-mirror = "{site.url}/nowhere"')
    work.replace("envfreeze.toml", 'python = "3.12"', f'python = "{OLD}"')
    lock(work)
    locked = target_of(work)
    assert locked.python == OLD
    work.replace("envfreeze.toml", f'python = "{OLD}"', 'python = "3.12"')
    site.files.pop("/builds.json")  # nobody asks for it
    lock(work)
    assert target_of(work).standalone == locked.standalone
    assert drift(work) == ()
    builds(NEW)
    (found,) = outdated(load(work.root), cache=Cache.open(work.cache))
    assert (found.side, found.name, found.locked, found.newest) == (
        "python",
        "python",
        f"{OLD}+20260807",
        f"{NEW}+20260807",
    )
    outcome = lock(work, upgrade_packages=["python"])
    assert target_of(work).python == NEW
    (change,) = (one for one in outcome.changes if one.side == "python")
    assert (change.kind, change.direction, change.direct) == ("moved", "up", True)
    assert target_of(work).wheels == locked.wheels


def test_the_lock_is_checked_against_what_the_project_asks_for(work):
    lock(work)

    def causes():
        return drift(work, offline=True)

    assert causes() == ()
    work.replace("envfreeze.toml", 'python = "3.12"', 'python = "3.11"')
    assert causes() == ("linux/amd64: the Python is 3.12.13, which is not what the project asks for",)
    work.replace("envfreeze.toml", 'python = "3.11"', 'python = "3.13"')
    assert causes() == ("linux/amd64: the OS package python3.13 is asked for and not locked",)
    lock(work)
    assert target_of(work).standalone is None
    work.replace("envfreeze.toml", 'python = "3.13"', 'python-source = "standalone"')
    assert causes() == ("linux/amd64: the OS package python3.13 is locked and not asked for",)


def test_requires_python_is_met_by_the_nearest_build(work):
    work.replace("envfreeze.toml", 'python = "3.12"\n', "")
    work.write("pyproject.toml", '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.14"\n')
    lock(work)
    assert target_of(work).python == "3.14.6"
    work.replace("pyproject.toml", ">=3.14", "<3.12")
    lock(work)
    assert target_of(work).python == "3.11.15"
    work.replace("pyproject.toml", "<3.12", ">=3.11")
    lock(work)
    assert (target_of(work).python, target_of(work).standalone) == ("3.13.5", None)


def test_the_source_can_be_told(work):
    work.replace("envfreeze.toml", 'python = "3.12"', 'python-source = "distribution"\npython = "3.12"')
    with pytest.raises(UsageError, match=r"apt:debian/trixie has Python 3\.13, not 3\.12") as refused:
        lock(work)
    assert "leave python-source out" in refused.value.hint
    work.replace("envfreeze.toml", 'python = "3.12"', 'python = "3.13.4"')
    with pytest.raises(ResolutionError, match=r"3\.13\.4 is wanted, apt:debian/trixie has 3\.13\.5"):
        lock(work)
    work.replace("envfreeze.toml", '"distribution"', '"conda"')
    with pytest.raises(UsageError, match="no conda package is asked for") as refused:
        lock(work)
    assert "write an environment.yml" in refused.value.hint


def test_markers_and_tags_are_those_of_the_exact_python(work, site, tools):
    site.add_wheel("alpha", tools.wheel_of("alpha", requires=["beta; python_full_version == '3.12.13'"]))
    lock(work)
    assert {wheel.name for wheel in target_of(work).wheels} == {"alpha", "beta", "gamma"}
    work.replace("envfreeze.toml", 'python = "3.12"', f'python = "{OLD}"')
    lock(work)
    assert {wheel.name for wheel in target_of(work).wheels} == {"alpha", "gamma"}


def test_tree_and_why_know_it(work):
    lock(work)
    (found,) = tree(work.root)
    key = Key("python", "python")
    assert key in found.roots
    assert found.graph.nodes[key].version == "3.12.13+20260807"
    assert found.asked_by[key] == ("[image] python",)
    (reasons,) = why(work.root, "python")
    assert reasons.key == key
    assert "python (linux/amd64)\npython 3.12.13+20260807" in ok(work.run("tree", "--side", "python")).stdout


def test_a_seal_covers_it_and_what_is_cached_needs_no_network(work, site):
    lock(work, seal=True)
    sealed = target_of(work)
    assert drift(work, seal=True) == ()
    site.files.clear()
    built = build(work, offline=True)
    assert built.layers_built == 0
    (layer,) = (layer for layer in sealed.layers if layer.kind == "python")
    assert layer.seal is not None
    # Where Python is fetched from is no part of the image.
    use(work, 'python-mirror = "https://mirror.example.org/pbs"')
    work.replace("envfreeze.toml", 'cmd = ["python", "train.py"]', 'cmd = ["python",  "train.py"]')
    lock(work)
    assert target_of(work).manifest == sealed.manifest


def test_where_a_registry_has_its_layer_the_archive_is_not_fetched(work, site, registry_server):
    lock(work)
    with registry_server.serve() as served:
        where = f"{served.host}/team/train:1"
        with Cache.open(work.cache) as cache:
            first = envfreeze.build(load(work.root), cache=cache, record=False, push=where)
        shutil.rmtree(work.cache)
        site.files.clear()
        with Cache.open(work.cache) as cache:
            again = envfreeze.build(
                load(work.root), cache=cache, record=False, push=where, cache_from=[where]
            )
    assert (again.digest, again.layers_built) == (first.digest, 0)
    assert again.layers_ready == len(target_of(work).layers)


def test_an_empty_cache_fetches_it_from_the_lock_or_a_mirror_and_nothing_else_is_asked(
    work, site, builds, monkeypatch
):
    lock(work)
    digest = build(work).digest
    shutil.rmtree(work.cache)
    site.files.pop("/builds.json")
    assert build(work).digest == digest
    shutil.rmtree(work.cache)
    content = site.files.pop(builds.path(NEW))
    with pytest.raises(NetworkError) as refused:
        build(work)
    assert "UV_PYTHON_INSTALL_MIRROR" in refused.value.hint
    site.files[builds.path(NEW).replace("/pbs/", "/mirror/")] = content
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", f"{site.url}/mirror/")
    assert build(work).digest == digest
    shutil.rmtree(work.cache)
    with pytest.raises(NetworkError, match="offline"):
        build(work, offline=True)


def test_a_wrong_or_cut_archive_is_refused_and_leaves_nothing(work, site, builds):
    path = builds.path(NEW)
    before = work.listing()
    site.instead[path] = site.files[path][:-1] + b"x"
    with pytest.raises(UntrustedError, match="is not the file that is wanted"):
        lock(work)
    assert work.listing() == before
    del site.instead[path]
    lock(work)
    shutil.rmtree(work.cache)
    # As a whole answer; a connection that ends early is gone on with (tests/store).
    site.instead[path] = site.files[path][:500]
    with pytest.raises(UntrustedError, match="is not the file that is wanted"):
        build(work)
    assert not work.leftovers()


def test_where_it_cannot_be_fetched_the_error_says_why_it_is_wanted_and_what_helps(work, site, builds):
    del site.files[builds.path(NEW)]
    with pytest.raises(NetworkError, match=r"cpython-3\.12\.13.* could not be fetched") as refused:
        lock(work)
    assert refused.value.details[-1] == (
        "a build of python-build-standalone is wanted: apt:debian/trixie has Python 3.13"
    )
    assert refused.value.hint.count("UV_PYTHON_INSTALL_MIRROR") == 1


def test_a_build_that_is_no_python_is_told_by_its_name(work, builds, standalone_archive):
    builds(
        NEW,
        further={
            "python/include/python3.12/patchlevel.h": standalone_archive.Item(
                b'#define PY_VERSION "3.12.1"\n'
            )
        },
    )
    lock(work)
    with pytest.raises(
        UntrustedError, match=r"cpython-3\.12\.13.*it is Python 3\.12\.1, and the lock says 3\.12\.13"
    ):
        build(work)


def test_a_version_that_there_is_not_ends_with_the_nearest(work):
    work.replace("envfreeze.toml", 'python = "3.12"', 'python = "3.12.99"')
    before = work.listing()
    with pytest.raises(ResolutionError, match=r"has no Python 3\.12\.99 for linux/amd64") as refused:
        lock(work)
    assert "the nearest it has: 3.12.13, 3.12.12" in refused.value.hint
    assert work.listing() == before


def test_each_platform_has_its_own(work, builds, site):
    builds(NEW, platform="linux/arm64")
    site.publish(architectures=("amd64", "arm64"))
    use(work, 'platform = ["linux/amd64", "linux/arm64"]')
    work.write("requirements.txt", "alpha\n")
    lock(work)
    ours, theirs = files.read(work.root).targets
    assert "x86_64-unknown" in ours.standalone.filename
    assert "aarch64-unknown" in theirs.standalone.filename


# -------------------------------------------------------------------------------------------- on an image


@pytest.fixture
def on(work, registry_server):
    """Lay the project on an image of these files."""
    with registry_server.serve() as served:

        def make(contents, *lines, env=(), labels=None):
            layer = {
                path: registry_server.Link(what) if isinstance(what, str) else what
                for path, what in contents.items()
            }
            served.push(
                registry_server.image_of([layer], settings={"Env": list(env), "Labels": labels}),
                "team/base",
                "1",
            )
            use(work, f'base = "{served.host}/team/base:1"', *lines)
            return work

        yield make


MERGED = {"bin": "usr/bin", "usr/bin/sh": b"\x7fELF", "usr/lib/libc.so.6": LIBC}


def test_an_image_of_a_distribution_that_packages_are_not_added_to(on, heard_of):
    work = on({**MERGED, "etc/os-release": ROCKY})
    said = heard_of(lambda progress: lock(work, progress=progress))
    assert any("has no Python, and Rocky 9 has no packages that envfreeze adds" in note for note in said)
    target = target_of(work)
    assert (target.python, target.glibc, target.image.interpreter) == (NEW, "2.34", None)
    assert target.base.packages == ()
    build(work)
    image = layout.read(work.root / ".envfreeze" / "image")
    history = [entry["created_by"] for entry in json.loads(image.config)["history"]]
    assert "python: 3.12.13+20260807" in history
    assert drift(work, offline=True) == ()
    work.replace("envfreeze.toml", 'python = "3.12"\n', "")
    lock(work)
    assert target_of(work).python == NEW  # which still fits
    (work.root / "envfreeze.lock").unlink()
    lock(work)
    # Nothing says which: that of the default base, or what is nearest to it.
    assert target_of(work).python == "3.14.6"


@pytest.fixture
def heard_of():
    """Call with a progress; what it was told."""

    def call(function):
        class Heard:
            notes: list[str] = []  # noqa: RUF012 - one a call

            def task(self, description, total=None):
                from envfreeze.progress import SILENT

                return SILENT.task(description, total)

            def note(self, text):
                self.notes.append(text)

            warn = note

        heard = Heard()
        heard.notes = []
        function(heard)
        return heard.notes

    return call


def test_the_images_own_python_comes_first_then_the_distributions(on):
    own = {
        "usr/local/bin/python3.12": b"\x7fELF",
        "usr/local/include/python3.12/patchlevel.h": b'#define PY_VERSION "3.12.4"\n',
    }
    work = on(
        {**MERGED, **own, "etc/os-release": RELEASE, "var/lib/dpkg/status": b""}, env=["PATH=/usr/local/bin"]
    )
    lock(work)
    assert (target_of(work).python, target_of(work).interpreter) == ("3.12.4", "/usr/local/bin/python3.12")
    assert target_of(work).standalone is None
    work.replace("envfreeze.toml", 'python = "3.12"', 'python = "3.12.4"')
    lock(work)
    assert target_of(work).standalone is None
    work.replace("envfreeze.toml", 'python = "3.12.4"', 'python = "3.12.13"')
    (cause,) = drift(work, offline=True)
    assert cause == (
        "linux/amd64: the Python of the base is python-build-standalone's, "
        "locked is /usr/local/bin/python3.12"
    )
    lock(work)
    assert (target_of(work).python, target_of(work).image.interpreter) == (NEW, None)
    work.replace("envfreeze.toml", 'python = "3.12.13"', 'python = "3.13"')
    lock(work)
    assert (target_of(work).python, target_of(work).standalone) == ("3.13.5", None)
    assert "python3.13" in {deb.name for deb in target_of(work).base.packages}
    work.replace("envfreeze.toml", 'python = "3.13"', 'python-source = "standalone"')
    lock(work)
    assert target_of(work).python == "3.14.6"


def test_where_packages_cannot_be_added_it_is_a_build(on):
    work = on({"bin/sh": b"\x7fELF", "usr/lib/libc.so.6": LIBC, "etc/os-release": RELEASE})
    work.replace("envfreeze.toml", 'python = "3.12"\n', "")
    lock(work)
    assert target_of(work).python == "3.14.6"


def test_an_old_c_library_is_refused(on):
    work = on(
        {
            **MERGED,
            "usr/lib/libc.so.6": b"GNU C Library stable release version 2.12.",
            "etc/os-release": ROCKY,
        }
    )
    with pytest.raises(UsageError, match=r"has glibc 2\.12, and python-build-standalone needs 2\.17"):
        lock(work)


@pytest.mark.parametrize(
    "theirs",
    [
        {"opt/venv/pyvenv.cfg": b"home = /x\n", "opt/python/x": b"x"},
        {"opt/venv": b"x", "opt/python": "/nowhere"},
    ],
)
def test_what_the_base_has_in_our_places_stays_and_ours_goes_beside_it(on, theirs, contents_of, tmp_path):
    env = ["PATH=/opt/venv/bin:/usr/bin", "VIRTUAL_ENV=/opt/venv"]
    work = on({**MERGED, **theirs, "etc/os-release": ROCKY}, env=env)
    lock(work)
    target = target_of(work)
    assert (target.prefix, target.standalone.prefix) == ("opt/envfreeze/venv", "opt/envfreeze/python")
    assert target.site_packages == "opt/envfreeze/venv/lib/python3.12/site-packages"
    build(work, archive=tmp_path / "image.tar")
    image = layout.read(work.root / ".envfreeze" / "image")
    settings = json.loads(image.config)["config"]["Env"]
    assert settings[:2] == [
        "PATH=/opt/envfreeze/venv/bin:/opt/venv/bin:/usr/bin",
        "VIRTUAL_ENV=/opt/envfreeze/venv",
    ]
    found = contents_of(tmp_path / "image.tar")
    assert found["opt/envfreeze/venv/bin/alpha"].startswith(b"#!/opt/envfreeze/venv/bin/python\n")
    assert b"executable = /opt/envfreeze/python/bin/python3.12\n" in found["opt/envfreeze/venv/pyvenv.cfg"]
    assert "opt/venv/bin/alpha" not in found
    assert lock(work).written == ()


CONDA = {
    **MERGED,
    "opt/conda/bin/python3.12": b"\x7fELF",
    "opt/conda/conda-meta/python-3.12.7-h5148396_0.json": b"{}",
    "etc/os-release": RELEASE,
}


def test_a_conda_image_gives_its_python_to_pips_packages(on):
    work = on(CONDA, env=["PATH=/opt/conda/bin:/usr/bin"])
    lock(work)
    assert (target_of(work).python, target_of(work).interpreter) == ("3.12.7", "/opt/conda/bin/python3.12")
    assert target_of(work).standalone is None


def test_conda_packages_on_a_conda_image_are_refused_with_the_way_out(on):
    label = {"org.opencontainers.image.base.name": "docker.io/library/debian:trixie-slim"}
    work = on(CONDA, labels=label)
    work.write("environment.yml", "channels: [file:///nowhere]\ndependencies: [zlib]\n")
    work.replace("envfreeze.toml", "[pip]\n", '[conda]\nenvironment = "environment.yml"\n\n[pip]\n')
    with pytest.raises(UsageError, match="has a /opt/conda of its own, where conda packages go") as refused:
        lock(work)
    assert "made from, which it says is docker.io/library/debian:trixie-slim; or leave" in refused.value.hint


def test_an_official_python_image_gives_its_python(on):
    slim = {**MERGED, "usr/local/bin/python3.12": b"\x7fELF", "etc/os-release": RELEASE}
    work = on(slim, env=["PATH=/usr/local/bin:/usr/bin", "PYTHON_VERSION=3.12.4"])
    lock(work)
    assert (target_of(work).python, target_of(work).interpreter) == ("3.12.4", "/usr/local/bin/python3.12")
    use(work, 'python-source = "distribution"')
    with pytest.raises(UsageError, match=r"Python 3\.12 is wanted; .* has Python 3\.12\.4, and Debian"):
        lock(work)
    work.replace("envfreeze.toml", '"distribution"', '"base"')
    lock(work)
    assert target_of(work).python == "3.12.4"
