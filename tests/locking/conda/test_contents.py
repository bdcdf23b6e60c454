from __future__ import annotations

import hashlib

import pytest

from envfreeze.errors import NetworkError, ResolutionError, UntrustedError, UsageError
from envfreeze.locking.conda import check_once, names_python, resolve, side
from envfreeze.locking.conda.contents import Contents, check_scripts, look, metadata, with_md5
from envfreeze.locking.conda.names import shipped
from envfreeze.locking.conda.provided import provided
from envfreeze.locking.model import Wheel
from envfreeze.oci.platform import Platform
from envfreeze.progress import SILENT
from envfreeze.replacing import replace

AMD64 = Platform.parse("linux/amd64")
SITE = "lib/python3.12/site-packages"


@pytest.fixture
def seen(channel, conda_channel, cache):
    """`seen(name, *paths, **package)`: what is seen in a package of these paths."""

    def see(name, *paths, offline=False, **settings):
        item = conda_channel.Item(b"x\n")
        built = conda_channel.package(name, paths=dict.fromkeys(paths, item), **settings)
        channel.add(built)
        locked = built.locked(channel.url)
        return locked, look([locked], cache=cache, offline=offline, progress=SILENT)

    return see


def contents_of(answer):
    locked, found = answer
    return found[locked.digest]


@pytest.mark.parametrize("legacy", [False, True])
def test_link_scripts_are_found_in_both_formats(seen, legacy):
    scripts = ("bin/.x-post-link.sh", "bin/.x-pre-link.sh", "bin/.x-pre-unlink.sh")
    answer = seen("x", *scripts, "bin/post-link.sh", "share/.x-post-link.sh", legacy=legacy)
    assert contents_of(answer).scripts == scripts
    locked, found = answer
    with pytest.raises(UsageError, match="1 conda package has link scripts") as caught:
        check_scripts([locked], found, [])
    assert 'allow-link-scripts = ["x"]' in caught.value.hint
    check_scripts([locked], found, ["x"])


@pytest.mark.parametrize(
    ("path", "name", "version"),
    [
        (f"{SITE}/numpy-1.26.4.dist-info/METADATA", "numpy", "1.26.4"),
        ("site-packages/ruamel.yaml-0.18.dist-info/METADATA", "ruamel-yaml", "0.18"),
        (f"{SITE}/torch-2.6.0+cu124.dist-info/METADATA", "torch", "2.6.0+cu124"),
        (f"{SITE}/Some_Name-1.0.post1.dist-info/METADATA", "some-name", "1.0.post1"),
        (f"{SITE}/old-1.0-py3.12.egg-info/PKG-INFO", "old", "1.0"),
        (f"{SITE}/old-1.0-py3.12.egg-info", "old", "1.0"),
        (f"{SITE}/bare.egg-info/PKG-INFO", "bare", None),
        ("lib/python3.13t/site-packages/free-2.0.dist-info/METADATA", "free", "2.0"),
    ],
)
def test_distributions_are_read_from_their_metadata(seen, path, name, version):
    assert contents_of(seen("x", path)).distributions == ((name, version),)


def test_what_is_no_distribution_is_none(seen):
    paths = (f"{SITE}/README.txt", f"{SITE}/../x-1.dist-info/METADATA", "share/x-1.0.dist-info/METADATA")
    found = contents_of(seen("x", *paths[::2]))
    assert found.distributions == ()
    assert not found.python


def test_what_was_seen_is_remembered_without_the_file(seen, cache):
    locked, found = seen("x", f"{SITE}/x-1.0.dist-info/METADATA")
    cache.discard(locked.digest)
    assert look([locked], cache=cache, offline=True, progress=SILENT) == found


def test_offline_without_the_package(channel, conda_channel, cache):
    built = conda_channel.package("x")
    with pytest.raises(NetworkError, match=r"x-1\.0-0\.conda"):
        look([built.locked(channel.url)], cache=cache, offline=True, progress=SILENT)


def test_another_sha256_than_the_channels(channel, conda_channel, cache):
    built = conda_channel.package("x")
    channel.add(built)
    locked = replace(
        conda_channel.package("x", version="2.0").locked(channel.url), url=built.locked(channel.url).url
    )
    with pytest.raises(UntrustedError):
        look([locked], cache=cache, offline=False, progress=SILENT)


def test_a_damaged_package_is_named(channel, conda_channel, cache):
    built = conda_channel.package("x", change=lambda content: content[: len(content) // 2])
    channel.add(built)
    with pytest.raises(UntrustedError, match=r"x-1\.0-0\.conda of http://.* cannot be read"):
        look([built.locked(channel.url)], cache=cache, offline=False, progress=SILENT)


def test_a_package_that_calls_itself_otherwise_is_refused(channel, conda_channel, cache):
    built = conda_channel.package("x", index={"version": "9.9"})
    channel.add(built)
    locked = built.locked(channel.url, version="1.0")
    with pytest.raises(UntrustedError, match=r"calls itself x 9\.9 0, the channel x 1\.0 0"):
        look([locked], cache=cache, offline=False, progress=SILENT)


def test_a_missing_md5_is_computed(seen, channel):
    locked, found = seen("x")
    (package,) = with_md5([replace(locked, md5=None)], found)
    assert package.md5 == hashlib.md5(channel.find("x").content).hexdigest() == locked.md5


def test_a_side_asks_for_everything_together(project, channel, conda_channel, wish):
    item = conda_channel.Item(b"x\n")
    channel.remove("six-1.16.0-pyh_0.conda")
    channel.add(
        conda_channel.package(
            "six",
            "1.16.0",
            noarch="python",
            depends=["numpy"],
            paths={"site-packages/six-1.16.0.dist-info/METADATA": item},
        ),
        conda_channel.package(
            "numpy",
            "1.25.0",
            depends=["python"],
            paths={f"{SITE}/numpy-1.25.0.dist-info/METADATA": item},
        ),
    )
    channel.index()
    made = project("six", "numpy=1.25")
    assert not names_python(made, AMD64)
    assert names_python(project("six", "python"), AMD64)
    found = side(project("six", "numpy=1.25"), AMD64, "2.41", wish())
    assert [str(one) for one in found.provided] == [
        "numpy 1.25.0 comes from conda's numpy 1.25.0 (asked for by environment.yml)",
        "six 1.16.0 comes from conda's six 1.16.0 (asked for by environment.yml)",
    ]
    (numpy, _) = found.provided
    wheel = Wheel(
        "numpy", "2.0", "numpy-2.0-py3-none-any.whl", found.packages[0].digest, 1, "https://x/y.whl"
    )
    with pytest.raises(ResolutionError, match="twice") as caught:
        check_once(found.provided, [wheel])
    assert caught.value.details == (str(numpy),)


class TestNames:
    @pytest.fixture
    def of(self, conda_channel):
        def of(package_name, *, distributions=(), python=True, name_map=None, version="1.5", purls=()):
            locked = conda_channel.package(package_name, version).locked(requested=True, purls=purls)
            contents = {locked.digest: Contents((), tuple(distributions), python, "")}
            found = provided([locked], contents, name_map or {}, "environment.yml")
            return {one.name: one.version for one in found}

        return of

    def test_metadata_counts_more_than_any_map(self, of):
        assert of("pytorch", distributions=[("torch", "2.6.0"), ("torchgen", None)]) == {
            "torch": "2.6.0",
            "torchgen": "1.5",
        }

    def test_the_projects_map_counts_most(self, of):
        assert of("pytorch", distributions=[("x", "1")], name_map={"pytorch": "Torch_X"}) == {
            "torch-x": "1.5"
        }

    def test_the_shipped_map_is_for_files_without_metadata(self, of):
        assert of("pytorch") == {"torch": "1.5"}
        assert of("pytorch", python=False) == {}

    def test_what_the_channel_says_comes_before_the_shipped_map_and_after_all_else(self, of):
        purls = ("pkg:generic/x", "pkg:pypi/Torch_Y@1.5?a=b", "pkg:pypi/torch-z")
        assert of("pytorch", purls=purls) == {"torch-y": "1.5", "torch-z": "1.5"}
        assert of("pytorch", purls=purls, distributions=[("torch", "1.5")]) == {"torch": "1.5"}
        assert of("pytorch", purls=purls, name_map={"pytorch": "mine"}) == {"mine": "1.5"}

    def test_else_the_name_is_the_same(self, of):
        assert of("scikit-learn") == {"scikit-learn": "1.5"}
        assert of("python") == {}

    def test_a_version_that_is_none_of_pythons_provides_nothing(self, of):
        assert of("odd", version="2024_x") == {}

    def test_two_packages_with_one_distribution_in_two_versions(self, conda_channel):
        packages = [conda_channel.package(name).locked() for name in ("one", "two")]
        contents = {
            package.digest: Contents((), (("same", version),), True, "")
            for package, version in zip(packages, ("1.0", "2.0"), strict=True)
        }
        with pytest.raises(ResolutionError, match=r"two conda packages hold same.*one 1\.0 and two 1\.0"):
            provided(packages, contents, {}, "environment.yml")

    def test_who_brought_a_package_is_told(self, conda_channel):
        root = conda_channel.package("root", depends=["middle >=1"]).locked(requested=True)
        middle = conda_channel.package("middle", depends=["leaf"]).locked()
        leaf = conda_channel.package("leaf").locked()
        contents = {
            package.digest: Contents((), ((package.name, "1.0"),), True, "")
            for package in (root, middle, leaf)
        }
        found = provided([leaf, middle, root], contents, {}, "environment.yml")
        assert (
            str(found[0])
            == "leaf 1.0 comes from conda's leaf 1.0 (needed by root -> middle of environment.yml)"
        )

    def test_the_shipped_map_says_only_what_differs(self):
        assert all(conda != name for conda, name in shipped().items())
        assert shipped()["msgpack-python"] == "msgpack"


class TestMetadata:
    @pytest.mark.parametrize("legacy", [False, True])
    def test_it_is_read_from_either_format(self, channel, conda_channel, cache, legacy):
        paths = {
            "site-packages/six-1.0.dist-info/METADATA": conda_channel.Item(b"Name: six"),
            "site-packages/six.py": conda_channel.Item(b"x = 1"),
        }
        channel.add(conda_channel.package("own", noarch="python", legacy=legacy, paths=paths))
        asking = {"cache": cache, "offline": False, "progress": SILENT}
        assert metadata(channel.locked("own"), "six", **asking) == b"Name: six"
        assert metadata(channel.locked("own"), "seven", **asking) is None

    def test_the_purls_of_a_channel_reach_the_package(self, project, channel, conda_channel, wish):
        channel.add(conda_channel.package("odd", "2.0", index={"purls": ["pkg:pypi/other-name"]}))
        channel.index()
        (odd,) = resolve(project("odd"), AMD64, "2.41", wish())
        assert odd.purls == ("pkg:pypi/other-name",)
