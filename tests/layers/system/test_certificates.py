"""The certificate store, as update-ca-certificates and `openssl rehash` leave it."""

from __future__ import annotations

import shutil
import ssl
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.layers.system.subject import certificate_der, subject_hash

NEW = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -utf8".split(" ")  # noqa: SIM905 - a command
)
SUBJECTS = [
    "/C=DE/O=Example  Org/CN= Root  CA ",
    "/CN=ÄÖÜ Straße Ελλάδα",
    "/C=US/ST=X/O=A, B (C)/OU=d+emailAddress=a@example.org/CN=Y",
    "/serialNumber=123/CN=" + "long " * 12,
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """One self-signed certificate for each subject, made by the machine's own openssl."""
    if shutil.which("openssl") is None:
        return None
    folder = tmp_path_factory.mktemp("certificates")
    for number, subject in enumerate(SUBJECTS):
        subprocess.run(
            [
                *NEW,
                "-multivalue-rdn",
                "-subj",
                subject,
                "-keyout",
                folder / "key",
                "-out",
                folder / f"c{number}.crt",
            ],
            check=True,
            capture_output=True,
        )
    (folder / "key").unlink()
    return folder


def test_the_subject_hash_is_openssl_s(certificates, need):
    need("openssl", certificates is not None, "no openssl on this machine")
    for file in certificates.glob("*.crt"):
        said = subprocess.run(
            ["openssl", "x509", "-in", file, "-noout", "-subject_hash"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        assert subject_hash(certificate_der(file.read_bytes())) == said


def test_the_links_are_those_of_openssl_rehash(certificates, system, kit, tmp_path, need):
    need("openssl", certificates is not None, "no openssl on this machine")
    contents = {f"name ({file.stem}).crt": file.read_bytes() for file in sorted(certificates.glob("*.crt"))}
    first = next(iter(contents.values()))
    contents["again.crt"] = first
    tree = system(
        ca_certificates=[
            kit.Member(f"./usr/share/ca-certificates/mozilla/{name}", data) for name, data in contents.items()
        ]
    )
    for name, data in contents.items():
        pem = name.removesuffix(".crt").replace(" ", "_").replace("(", "=").replace(")", "=") + ".pem"
        assert tree.link(f"etc/ssl/certs/{pem}") == f"/usr/share/ca-certificates/mozilla/{name}"
        (tmp_path / pem).write_bytes(data)
    subprocess.run(["openssl", "rehash", tmp_path], check=True, capture_output=True)
    hashed = {path.name: str(path.readlink()) for path in tmp_path.iterdir() if path.is_symlink()}
    made = {
        path.removeprefix("etc/ssl/certs/"): entry.link
        for path, entry in tree.items()
        if path.startswith("etc/ssl/certs/") and path[-1].isdigit()
    }
    assert made == hashed


def test_the_bundle_is_every_certificate_by_name_and_python_reads_it(
    certificates, system, kit, tmp_path, need
):
    need("openssl", certificates is not None, "no openssl on this machine")
    contents = {file.name: file.read_bytes().rstrip(b"\n") for file in sorted(certificates.glob("*.crt"))}
    tree = system(
        ca_certificates=[
            kit.Member(f"./usr/share/ca-certificates/mozilla/{name}", data)
            for name, data in reversed(contents.items())
        ]
    )
    bundle = tree.bytes("etc/ssl/certs/ca-certificates.crt")
    assert bundle == b"".join(data + b"\n" for data in contents.values())
    file = tmp_path / "bundle"
    file.write_bytes(bundle)
    context = ssl.create_default_context(cafile=str(file))
    assert context.cert_store_stats()["x509"] == len(SUBJECTS)
    listed = [line for line in tree.text("etc/ca-certificates.conf").splitlines() if not line.startswith("#")]
    assert listed == [f"mozilla/{name}" for name in contents]


def test_two_certificates_of_one_subject_are_numbered(need, tmp_path, system, kit):
    need("openssl", shutil.which("openssl") is not None, "no openssl on this machine")
    members = []
    for name in ("b", "a"):
        subprocess.run(
            [*NEW, "-subj", "/CN=same", "-keyout", tmp_path / "key", "-out", tmp_path / f"{name}.crt"],
            check=True,
            capture_output=True,
        )
        members.append(
            kit.Member(f"./usr/share/ca-certificates/x/{name}.crt", (tmp_path / f"{name}.crt").read_bytes())
        )
    tree = system(ca_certificates=members)
    numbered = {path[-1]: entry.link for path, entry in tree.items() if path.endswith((".0", ".1"))}
    assert numbered == {"0": "a.pem", "1": "b.pem"}


def test_what_is_no_certificate_has_no_hash_and_stops_nothing(system, kit):
    tree = system(
        ca_certificates=[kit.Member("./usr/share/ca-certificates/x/broken.crt", b"not a certificate")]
    )
    assert tree.text("etc/ssl/certs/ca-certificates.crt") == "not a certificate\n"
    assert not any(path.endswith(".0") for path in tree)


@given(st.binary(max_size=200))
def test_any_bytes_have_a_hash_or_none(data):
    value = subject_hash(data)
    assert value is None or len(value) == 8
