"""One rule for every image that a user names."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, NetworkError, UntrustedError, UsageError
from envfreeze.oci import archive, canonical, layout, media
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.manifest import index_json
from envfreeze.oci.platform import Platform
from envfreeze.oci.reference import Reference
from envfreeze.verbs.images import FORMS, Lying, Stored, chosen, images_of, opened, parse

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
HEX = "0f" * 32


@pytest.fixture
def both(registry_server):
    """Images for two platforms, and an attestation beside them."""
    images = [
        registry_server.image_of([{"etc/os-release": b"ID=debian\n"}], architecture=architecture)
        for architecture in ("amd64", "arm64")
    ]
    beside = registry_server.image_of([], architecture="unknown", system="unknown")
    made = (*images, beside)
    return ImageIndex(index_json(made), made)


def docker_save(path: Path, *images, names=("team/train:v1", "team/train:v2")) -> None:
    """Write what `docker save` does, plain tars and all."""
    with tarfile.open(path, "w") as tar:

        def add(name: str, content: bytes) -> None:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

        entries = []
        for number, (image, name) in enumerate(zip(images, names, strict=False)):
            layers = []
            for layer in image.layers:
                layers.append(f"{number}-{layer.diff_id.hex}/layer.tar")
                with layer.open() as file:
                    add(layers[-1], file.read())
            config = f"{Digest.of(image.config).hex}.json"
            add(config, image.config)
            entries.append({"Config": config, "RepoTags": [name], "Layers": layers})
        add("manifest.json", json.dumps(entries).encode())


def digests(found):
    images = found.images if isinstance(found, ImageIndex) else [found]
    return [one.digest for one in images]


class TestWhatIsMeant:
    @pytest.mark.parametrize(
        ("text", "place"),
        [
            (f"sha256:{HEX}", Digest(HEX)),
            (HEX, Digest(HEX)),
            ("oci:gone", Lying(Path("gone"), None, "oci")),
            ("oci-archive:gone.tar", Lying(Path("gone.tar"), None, "oci-archive")),
            ("docker-archive:here.tar:a:1", Lying(Path("here.tar"), "a:1", "docker-archive")),
            ("oci:here:registry.example.org/a:1", Lying(Path("here"), "registry.example.org/a:1", "oci")),
            ("oci:with:colon", Lying(Path("with:colon"), None, "oci")),
            ("with:colon:name", Lying(Path("with:colon"), "name")),
            ("here.tar", Lying(Path("here.tar"), None)),
            ("here.tar:v1", Lying(Path("here.tar"), "v1")),
            ("./here", Lying(Path("here"), None)),
            ("docker-daemon:debian", Stored("debian", None)),
            ("docker-daemon:sha256:" + HEX, Stored("sha256:" + HEX, None)),
            ("containers-storage:debian", Stored("debian", "podman")),
            ("debian:trixie", Reference("docker.io", "library/debian", "trixie")),
            ("docker://debian", Reference("docker.io", "library/debian", "latest")),
            ("docker://here", Reference("docker.io", "library/here", "latest")),
            (
                f"127.0.0.1:5000/a/b@sha256:{HEX}",
                Reference("127.0.0.1:5000", "a/b", None, Digest(HEX)),
            ),
        ],
    )
    def test_each_form_names_one_place(self, tmp_path, monkeypatch, text, place):
        monkeypatch.chdir(tmp_path)
        for name in ("here", "here.tar", "with:colon"):
            (tmp_path / name).touch()
        assert parse(text) == place

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("debian", "names no image"),
            ("team/train", "names no image"),
            ("", "names no image"),
            ("image.tar", "there is no image.tar"),
            ("./gone", "there is no ./gone"),
            ("sha256:abc", "not a sha256 digest"),
            ("https://registry.example.org/a:1", "is not an image"),
            ("docker://Team/Train", "is not an image reference"),
            ("x" * 5000, "names no image"),
            ("a\0b", "names no image"),
        ],
    )
    def test_nonsense_is_told_with_what_would_do(self, tmp_path, monkeypatch, text, words):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(UsageError, match=words) as caught:
            parse(text)
        assert caught.value.hint or caught.value.details == FORMS


class TestFiles:
    def test_layouts_and_archives_are_opened_bare_and_with_their_prefix(self, tmp_path, both):
        layout.write(both, tmp_path / "layout", name="v1")
        archive.write(both.images[1], tmp_path / "arm.tar", name="v2")
        docker_save(tmp_path / "docker.tar", both.images[0], both.images[1])
        for text, expected in {
            "layout": digests(both),
            "oci:layout": digests(both),
            "oci:layout:v1": digests(both),
            "arm.tar": [both.images[1].digest],
            "oci-archive:arm.tar:v2": [both.images[1].digest],
        }.items():
            prefix, colon, rest = text.partition(":")
            named = f"{prefix}:{tmp_path}/{rest}" if colon else f"{tmp_path}/{text}"
            with opened(named, root=tmp_path) as found:
                assert digests(found) == expected, text
        for name, image in zip(("v1", "docker.io/team/train:v2"), both.images, strict=False):
            name = name if ":" in name else f"team/train:{name}"  # noqa: PLW2901 - short beside the other
            with opened(f"docker-archive:{tmp_path}/docker.tar:{name}", root=tmp_path) as found:
                assert found.config == image.config
        with (
            pytest.raises(UsageError, match="holds no image named gone"),
            opened(f"{tmp_path}/docker.tar:gone", root=tmp_path),
        ):
            pass

    def test_the_image_for_a_platform_is_chosen(self, tmp_path, both):
        layout.write(both, tmp_path / "layout")
        with opened(str(tmp_path / "layout"), root=tmp_path, platform=ARM64) as found:
            assert found.digest == both.images[1].digest
        assert images_of(both) == both.images[:2]
        with pytest.raises(UsageError, match="has no image for linux/arm64") as caught:
            chosen(both.images[0], ARM64, "that")
        assert caught.value.hint == "it has linux/amd64"
        twice = ImageIndex(b"{}", (both.images[0], *both.images))
        assert chosen(twice, AMD64, "that") is not None

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("oci:empty", UsageError),
            ("oci-archive:gone.tar", UsageError),
            ("docker-archive:gone.tar", UsageError),
            ("docker-archive:text", UntrustedError),
            ("oci-archive:text", UntrustedError),
            ("text", UntrustedError),
        ],
    )
    def test_what_is_no_image_is_said(self, tmp_path, monkeypatch, text, error):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "empty").mkdir()
        (tmp_path / "text").write_text("hello")
        with pytest.raises(error), opened(text, root=tmp_path):
            pass

    def test_damage_is_found_where_it_is_read(self, tmp_path, both):
        layout.write(both.images[0], tmp_path / "layout")
        blob = tmp_path / "layout/blobs/sha256" / both.images[0].layers[0].digest.hex
        blob.chmod(0o644)
        blob.write_bytes(bytes(blob.stat().st_size))
        with (
            opened(str(tmp_path / "layout"), root=tmp_path) as found,
            found.layers[0].open() as file,
            pytest.raises(UntrustedError, match="damaged"),
        ):
            file.read()


class TestRegistries:
    @pytest.mark.parametrize("docker", [False, True])
    def test_a_tag_leads_to_the_whole_index(self, tmp_path, registry_server, both, docker):
        packing = "docker" if docker else "zstd"
        images = [
            registry_server.image_of([{"a": b"1"}], architecture=one.platform.architecture, packing=packing)
            for one in both.images[:2]
        ]
        with registry_server.serve() as registry:
            digest = registry.push_index(images, "team/train", "v1", docker=docker)
            for text in (f"{registry.host}/team/train:v1", f"docker://{registry.host}/team/train@{digest}"):
                registry.asked.clear()
                with opened(text, root=tmp_path) as found:
                    assert found.digest == digest
                    assert [one.digest for one in images_of(found)] == [one.digest for one in images]
                    assert not registry.paths("blobs/" + str(images[0].layers[0].digest))
                    with found.images[1].layers[0].open() as file:
                        assert Digest.of(file.read()) == images[0].layers[0].digest
            with opened(text, root=tmp_path, platform=ARM64) as found:
                assert found.digest == images[1].digest

    def test_what_goes_wrong_has_its_exit_code(self, tmp_path, registry_server, both):
        with registry_server.serve() as registry:
            registry.push(both.images[0], "team/train", "v1")
            text = f"{registry.host}/team/train:v1"
            with pytest.raises(NetworkError, match="not in the registry"), opened(text + "2", root=tmp_path):
                pass
            with pytest.raises(UsageError, match="--offline"), opened(text, root=tmp_path, offline=True):
                pass
            raw = canonical.dump({"schemaVersion": 2, "mediaType": media.MANIFEST})
            registry.document(raw, media.MANIFEST, "team/train", "bad")
            with pytest.raises(UntrustedError), opened(f"{registry.host}/team/train:bad", root=tmp_path):
                pass


class TestBuiltHere:
    def test_a_digest_is_found_where_build_left_it(self, tmp_path, both):
        layout.write(both, tmp_path / ".envfreeze/image")
        with opened(str(both.digest), root=tmp_path) as found:
            assert digests(found) == digests(both)
        for digest in (both.images[1].digest, Digest.of(both.images[1].config)):
            with opened(str(digest), root=tmp_path) as found:
                assert found.digest == both.images[1].digest
        with pytest.raises(UsageError, match="no record of"), opened(f"sha256:{HEX}", root=tmp_path):
            pass


def test_without_an_engine_the_machine_is_to_blame(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    for text in ("docker-daemon:debian:trixie", "containers-storage:debian"):
        with (
            pytest.raises(MachineError, match="no container engine to take the image from"),
            opened(text, root=tmp_path),
        ):
            pass


def test_a_path_that_is_as_long_as_a_digest_is_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "image-" + "x" * 58
    (tmp_path / name).mkdir()
    assert parse(name) == Lying(Path(name), None)
    assert parse("0" * 64) == Digest("0" * 64)
