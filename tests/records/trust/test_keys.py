"""Keys to sign with, and what is not one."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from envfreeze.errors import UntrustedError, UsageError
from envfreeze.records.trust import envelope, keys

PEM = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("kind", keys.KINDS)
def test_what_is_written_is_read(kind, tmp_path):
    pair = keys.generate(kind)
    public = keys.write(pair, tmp_path / "key", {})
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(public.stat().st_mode) & 0o111 == 0
    again = keys.read_private(str(tmp_path / "key"), {})
    assert again.public.id == pair.public.id == keys.read_public(public.read_bytes(), "it").id
    of_environment = keys.read_private("env://KEY", {"KEY": (tmp_path / "key").read_text()})
    assert of_environment.public.id == pair.public.id
    assert envelope.signers(envelope.sign(b"{}", again), [pair.public]) == (pair.public,)


@pytest.mark.parametrize("kind", keys.KINDS)
@pytest.mark.usefixtures("certify")  # it needs openssl, too
def test_openssl_reads_them_and_gives_the_same_id(kind, tmp_path):
    pair = keys.generate(kind)
    public = keys.write(pair, tmp_path / "key", {})
    command = ["openssl", "pkey", "-in", str(tmp_path / "key"), "-pubout"]
    assert subprocess.run(command, check=True, capture_output=True).stdout == public.read_bytes()
    der = subprocess.run([*command, "-outform", "DER"], check=True, capture_output=True).stdout
    digest = subprocess.run(["openssl", "sha256", "-r"], input=der, check=True, capture_output=True).stdout
    assert digest.split()[0].decode() == pair.public.id


def test_a_password_encrypts_the_private_key(tmp_path):
    pair = keys.generate()
    keys.write(pair, tmp_path / "key", {keys.PASSWORD: "correct horse"})
    assert b"ENCRYPTED" in (tmp_path / "key").read_bytes()
    read = keys.read_private(str(tmp_path / "key"), {keys.PASSWORD: "correct horse"})
    assert read.public.id == pair.public.id
    with pytest.raises(UsageError, match="is encrypted") as caught:
        keys.read_private(str(tmp_path / "key"), {})
    assert keys.PASSWORD in caught.value.hint
    with pytest.raises(UntrustedError, match="cannot be decrypted") as wrong:
        keys.read_private(str(tmp_path / "key"), {keys.PASSWORD: "battery staple"})
    assert "battery" not in wrong.value.message + wrong.value.hint


def test_no_key_is_written_over_another(tmp_path):
    for there in ("key", "key.pub"):
        for file in tmp_path.iterdir():
            file.unlink()
        (tmp_path / there).write_text("precious")
        with pytest.raises(UsageError, match="over another"):
            keys.write(keys.generate(), tmp_path / "key", {})
        assert [file.name for file in tmp_path.iterdir()] == [there]
        assert (tmp_path / there).read_text() == "precious"


def test_what_shows_a_key_pair_shows_no_secret():
    pair = keys.generate()
    secret = pair.signer.private_bytes.decode().splitlines()[1]
    assert secret not in repr(pair) + str(pair) + f"{pair.public}"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"),
        (b"-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nAAAA\n", "cosign's own format"),
        (rsa.generate_private_key(65537, 2048).private_bytes(*PEM), "ed25519 or ECDSA over P-256"),
        (ec.generate_private_key(ec.SECP384R1()).private_bytes(*PEM), "ed25519 or ECDSA over P-256"),
    ],
    ids=["nothing", "damaged", "cosign", "RSA", "P-384"],
)
def test_what_cannot_sign_is_refused(content, said, tmp_path):
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(UsageError, match=said):
        keys.read_private(str(tmp_path / "key"), {})


@pytest.mark.parametrize("name", [".", "/"])
def test_a_folder_is_no_name_for_a_key(name):
    with pytest.raises(UsageError, match="is a folder"):
        keys.write(keys.generate(), Path(name), {})


def test_a_password_is_any_bytes_that_a_variable_holds(tmp_path):
    secret = {keys.PASSWORD: "\udcff"}
    pair = keys.generate()
    keys.write(pair, tmp_path / "key", secret)
    assert keys.read_private(str(tmp_path / "key"), secret).public.id == pair.public.id
    with pytest.raises(UsageError, match="more than 1023 bytes"):
        keys.write(pair, tmp_path / "another", {keys.PASSWORD: "x" * 1024})
    assert not (tmp_path / "another").exists()
    with pytest.raises(UsageError, match="no private key"):
        keys.read_private("env://KEY", {"KEY": "\udcff"})


def test_a_key_on_the_command_line_is_not_quoted():
    pem = keys.generate().signer.private_bytes.decode()
    with pytest.raises(UsageError) as caught:
        keys.read_private(pem, {})
    assert pem.splitlines()[1] not in caught.value.message + caught.value.hint


def test_a_missing_key_is_named(tmp_path):
    with pytest.raises(UsageError, match="there is no key"):
        keys.read_private(str(tmp_path / "absent"), {})
    with pytest.raises(UsageError, match="env://ABSENT"):
        keys.read_private("env://ABSENT", {})


def test_a_private_key_is_no_public_one():
    pair = keys.generate()
    with pytest.raises(UsageError, match="private key, where the public one belongs"):
        keys.read_public(pair.signer.private_bytes, "it")
    pem = ec.generate_private_key(ec.SECP384R1()).public_key()
    with pytest.raises(UsageError, match="another kind"):
        keys.read_public(pem.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), "it")


class Told:
    """A `Progress` that remembers its warnings."""

    def __init__(self):
        self.warnings = []

    def warn(self, text):
        self.warnings.append(text)


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_key_that_others_can_read_is_warned_of_and_read(tmp_path, mode, warned):
    pair, told = keys.generate(), Told()
    keys.write(pair, tmp_path / "key", {})
    (tmp_path / "key").chmod(mode)
    assert keys.read_private(str(tmp_path / "key"), {}, told).public.id == pair.public.id
    assert [f"mode {mode:04o}" in one and "chmod 600" in one for one in told.warnings] == [True] * warned
