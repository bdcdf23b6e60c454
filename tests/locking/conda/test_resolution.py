from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from envfreeze.errors import NetworkError, ResolutionError, UntrustedError
from envfreeze.locking.conda import names_python, python_of, resolve
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

AMD64 = Platform.parse("linux/amd64")
ARM64 = Platform.parse("linux/arm64")
GLIBC = "2.41"


def versions(packages):
    return {package.name: package.version for package in packages}


def test_packages_are_the_channels_own_in_every_field(project, channel, wish):
    packages = resolve(project("numpy=1.26", "six", "python=3.12"), AMD64, GLIBC, wish())
    assert [package.name for package in packages] == ["numpy", "python", "six", "zlib"]
    expected = [
        channel.built[name].locked(channel.url, requested=not name.startswith("zlib"))
        for name in (
            "numpy-1.26.4-py312_0.conda",
            "python-3.12.4-h0_0_cpython.conda",
            "six-1.16.0-pyh_0.conda",
            "zlib-1.3.1-h1_0.conda",
        )
    ]
    assert list(packages) == expected


@pytest.mark.parametrize(
    ("spec", "version"),
    [
        ("numpy=1.26", "1.26.4"),
        ("numpy=1", "1.26.4"),
        ("numpy>=1.2,<2", "1.26.4"),
        ('"numpy >=1.2, <2"', "1.26.4"),
        ("numpy==1.26.4", "1.26.4"),
        ("numpy 1.26.*", "1.26.4"),
        ("numpy=1.26.*=py312_*", "1.26.4"),
        ("numpy[version='<2']", "1.26.4"),
        ("numpy!=2.0.0", "1.26.4"),
        ("numpy", "2.0.0"),
        ("NumPy", "2.0.0"),
    ],
)
def test_the_usual_spellings_of_a_spec(project, wish, spec, version):
    assert versions(resolve(project(spec), AMD64, GLIBC, wish()))["numpy"] == version


def test_a_spec_may_name_its_channel(project, channel, wish):
    made = project(f"'{channel.url}::numpy'")
    assert versions(resolve(made, AMD64, GLIBC, wish()))["numpy"] == "2.0.0"


def test_what_only_the_host_has_is_not_taken(project, wish, monkeypatch):
    monkeypatch.setenv("CONDA_OVERRIDE_CUDA", "12.9")
    monkeypatch.setenv("CONDA_OVERRIDE_GLIBC", "2.99")
    with pytest.raises(ResolutionError) as caught:
        resolve(project("gpu"), AMD64, GLIBC, wish())
    assert "__cuda" in " ".join((caught.value.message, *caught.value.details))
    assert "[gpu] driver" in caught.value.hint
    with pytest.raises(ResolutionError):
        resolve(project("new-glibc"), AMD64, GLIBC, wish())


def test_the_fleets_cuda_and_the_bases_glibc_decide(project, wish):
    assert versions(resolve(project("gpu"), AMD64, GLIBC, wish(), cuda="12.4")) == {"gpu": "1.0"}
    assert versions(resolve(project("new-glibc"), AMD64, "2.99", wish())) == {"new-glibc": "1.0"}


def test_each_platform_has_its_own_packages(project, channel, conda_channel, wish):
    channel.add(conda_channel.package("zlib", "1.3.1", "ha_0", subdir="linux-aarch64"))
    channel.index()
    made = project("zlib", "numpy  # [linux64]", image='platform = ["linux/amd64", "linux/arm64"]')
    assert [package.build for package in resolve(made, ARM64, GLIBC, wish())] == ["ha_0"]
    assert "numpy" in versions(resolve(made, AMD64, GLIBC, wish()))


def test_locked_versions_stay_until_upgraded(project, wish):
    pins = resolve(project("numpy=1.26", "python=3.11"), AMD64, GLIBC, wish())
    loose = project("numpy", "python")
    assert resolve(loose, AMD64, GLIBC, wish(), pins=pins) == pins
    some = resolve(loose, AMD64, GLIBC, wish(upgrade_packages=("numpy",)), pins=pins)
    assert versions(some)["python"] in {"3.11.9", "3.12.4"}
    assert versions(resolve(loose, AMD64, GLIBC, wish(upgrade=True), pins=pins)) == {
        "numpy": "2.0.0",
        "python": "3.12.4",
        "zlib": "1.3.1",
    }


def test_upgrading_one_package_keeps_the_others(project, channel, conda_channel, wish):
    pins = resolve(project("numpy=1.26", "zlib"), AMD64, GLIBC, wish())
    channel.add(conda_channel.package("zlib", "1.3.2", "h1_0"))
    channel.index()
    loose = project("numpy", "zlib")
    assert resolve(loose, AMD64, GLIBC, wish(), pins=pins) == pins
    moved = versions(resolve(loose, AMD64, GLIBC, wish(upgrade_packages=("zlib",)), pins=pins))
    assert (moved["zlib"], moved["numpy"]) == ("1.3.2", "1.26.4")


def test_locked_versions_stay_under_a_cutoff_too(project, wish):
    # The indexer's own moment counts before the package's: nothing here is older than the test.
    conda = "exclude-newer = 2100-01-01"
    pins = resolve(project("numpy=1.26"), AMD64, GLIBC, wish())
    assert resolve(project("numpy", conda=conda), AMD64, GLIBC, wish(), pins=pins) == tuple(
        replace(pin, requested=pin.name == "numpy") for pin in pins
    )


def test_a_cutoff_leaves_out_what_came_later(project, wish):
    with pytest.raises(ResolutionError, match="cannot be resolved") as caught:
        resolve(project("numpy", conda="exclude-newer = 2019-01-01"), AMD64, GLIBC, wish())
    assert caught.value.hint == "choose a later exclude-newer, or older versions"


def test_the_same_inputs_and_cutoff_give_the_same_whatever_is_released_since(
    project, channel, conda_channel, wish
):
    time.sleep(1.1)  # moments of an index are whole seconds
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    made = project("zlib", conda=f"exclude-newer = {moment}")
    first = resolve(made, AMD64, GLIBC, wish())
    time.sleep(1.1)
    channel.add(conda_channel.package("zlib", "1.3.2", "h1_0"))
    channel.index()
    assert resolve(made, AMD64, GLIBC, wish()) == first
    assert versions(resolve(project("zlib"), AMD64, GLIBC, wish()))["zlib"] == "1.3.2"


def test_the_first_channel_that_has_a_package_is_the_only_one(
    project, channel, conda_channel, tmp_path, wish
):
    with conda_channel.serve(tmp_path / "second") as second:
        second.add(conda_channel.package("numpy", "3.0", depends=[]))
        second.index()
        both = f"{channel.url}, {second.url}"
        assert versions(resolve(project("numpy", channels=both), AMD64, GLIBC, wish()))["numpy"] == "2.0.0"
        disabled = project("numpy", channels=both, conda='channel-priority = "disabled"')
        assert versions(resolve(disabled, AMD64, GLIBC, wish()))["numpy"] == "3.0"
        with pytest.raises(ResolutionError, match="numpy"):
            resolve(project("numpy=3", channels=both), AMD64, GLIBC, wish())


def test_image_python_limits_condas(project, wish):
    made = project("numpy=1.26", image='python = "3.11"')
    assert versions(resolve(made, AMD64, GLIBC, wish()))["python"] == "3.11.9"
    with pytest.raises(ResolutionError) as caught:
        resolve(project("numpy=2", image='python = "3.11"'), AMD64, GLIBC, wish())
    assert any("python 3.11.*" in line for line in caught.value.details)


def test_an_exact_image_python_is_condas(project, wish):
    made = project("numpy=1.26", "python", image='python = "3.11.9"')
    assert versions(resolve(made, AMD64, GLIBC, wish()))["python"] == "3.11.9"
    with pytest.raises(ResolutionError) as caught:
        resolve(project("python", image='python = "3.11.8"'), AMD64, GLIBC, wish())
    assert any("python ==3.11.8" in line for line in caught.value.details)


def test_a_python_that_is_said_to_be_condas_need_not_be_named(project, wish):
    packages = resolve(project("zlib", image='python-source = "conda"'), AMD64, GLIBC, wish())
    assert {package.name: package.requested for package in packages} == {"python": True, "zlib": True}
    assert names_python(project("zlib", image='python-source = "conda"'), AMD64)
    assert not names_python(project("zlib"), AMD64)


def test_requires_python_limits_condas(project, wish):
    made = replace(project("numpy=1.26"), requires_python=">=3.11,<3.12")
    assert versions(resolve(made, AMD64, GLIBC, wish()))["python"] == "3.11.9"
    with pytest.raises(ResolutionError, match=r"requires Python ~=3\.11\.0, conda has 3\.12\.4"):
        resolve(replace(made, requires_python="~=3.11.0"), AMD64, GLIBC, wish())


def test_without_python_there_is_none(project, wish):
    assert python_of(resolve(project("zlib"), AMD64, GLIBC, wish())) is None


def test_a_python_that_no_wheel_fits_is_refused(project, wish):
    packages = resolve(project("python=3.12"), AMD64, GLIBC, wish())
    other = tuple(replace(package, build="h0_73_pypy") for package in packages)
    with pytest.raises(ResolutionError, match="not the CPython"):
        python_of(other)


def test_other_bytes_under_a_locked_name_are_refused(project, channel, conda_channel, wish):
    pins = resolve(project("zlib"), AMD64, GLIBC, wish())
    channel.add(
        conda_channel.package(
            "zlib", "1.3.1", "h1_0", constrains=["zlib-ng <2"], paths={"lib/x": conda_channel.Item(b"other")}
        )
    )
    channel.index()
    with pytest.raises(UntrustedError, match="other content now") as caught:
        resolve(project("zlib"), AMD64, GLIBC, wish(), pins=pins)
    assert "--upgrade-package zlib" in caught.value.hint
    accepted = resolve(project("zlib"), AMD64, GLIBC, wish(upgrade_packages=("zlib",)), pins=pins)
    assert accepted[0].digest != pins[0].digest


def test_a_package_that_left_its_channel_is_let_go(project, channel, wish):
    pins = resolve(project("numpy"), AMD64, GLIBC, wish())
    channel.remove("numpy-2.0.0-py312_0.conda")
    channel.index()
    assert versions(resolve(project("numpy"), AMD64, GLIBC, wish(), pins=pins))["numpy"] == "1.26.4"


def test_offline_takes_what_the_cache_has(project, channel, wish):
    made = project("numpy")
    packages = resolve(made, AMD64, GLIBC, wish())
    asked = channel.asked.total()
    assert resolve(made, AMD64, GLIBC, wish(offline=True)) == packages
    assert resolve(made, AMD64, GLIBC, wish(offline=True), pins=packages) == packages
    assert channel.asked.total() == asked


def test_offline_without_a_cache_says_so(project, channel, wish):
    with pytest.raises(NetworkError, match="not in the cache, and nothing is fetched offline") as caught:
        resolve(project("numpy"), AMD64, GLIBC, wish(offline=True))
    assert channel.url in caught.value.message
    assert "without --offline" in caught.value.hint
