"""Packages files: the fast scan finds what a slow reading finds."""

from __future__ import annotations

import gzip
import lzma

import pytest
from debian.deb822 import Deb822
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.errors import UntrustedError
from envfreeze.locking.apt.index import PackagesFile, Universe, inflate
from envfreeze.locking.apt.relations import Relation

Complete = "Callable[..., str]"

STANZA = """\
Package: hello
Version: 2.10-3
Architecture: amd64
Essential: yes
Depends: libc6 (>= 2.34)
Pre-Depends: init
Provides: greeting (= 1),
 salute
Conflicts: bye
Breaks: hi (<< 2)
Description: says hello
 Package: not this
Priority: optional
Filename: ./pool/hello.deb
Size: 56132
SHA256: {digest}
""".format(digest="ab" * 32)


def packages(text: str, **options: object) -> PackagesFile:
    return PackagesFile(text.encode(), **({"archive": "debian", "where": "Packages"} | options))


def only(text: str) -> object:
    file = packages(text)
    [(_, position)] = file.versions("hello", "amd64")
    return file.package(position)


def test_a_stanza_is_read_whole() -> None:
    package = only(STANZA)

    assert (package.name, package.version, package.architecture) == ("hello", "2.10-3", "amd64")
    assert package.rank == 0
    assert package.filename == "pool/hello.deb"
    assert package.size == 56132
    assert package.depends == ((Relation("init"),), (Relation("libc6", ">=", "2.34"),))
    assert package.conflicts == (("Conflicts", Relation("bye")), ("Breaks", Relation("hi", "<<", "2")))
    assert package.provides == (Relation("greeting", "=", "1"), Relation("salute"))


def test_fields_may_come_in_any_order() -> None:
    turned = "\n".join(
        sorted(f"{name}: {value}" for name, value in Deb822(STANZA).items() if name != "Description")
    )
    text = f"Package: other\nVersion: 1\n\n{turned}\n\nPackage: more\n"

    assert packages(text).providers("salute") == {"hello"}
    assert only(text).digest.hex == "ab" * 32


def test_packages_of_another_architecture_are_not_seen() -> None:
    file = packages(STANZA.replace("amd64", "arm64"))

    assert file.versions("hello", "amd64") == []
    assert len(file.versions("hello", "arm64")) == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("./pool/hello.deb", "../hello.deb"),
        ("./pool/hello.deb", "/etc/hello.deb"),
        ("Filename: ./pool/hello.deb\n", ""),
        ("ab" * 32, "ab"),
        ("56132", "-1"),
        ("56132", "big"),
        ("2.10-3", "-3"),
        ("Package: hello", "Package: hel/lo"),
        ("libc6 (>= 2.34)", "libc6 (about 2)"),
    ],
)
def test_a_wrong_field_is_refused(old: str, new: str) -> None:
    text = STANZA.replace(old, new)
    name = "hel/lo" if "hel/lo" in text else "hello"
    file = packages(text)
    with pytest.raises(UntrustedError):
        file.package(file.versions(name, "amd64")[0][1])


def test_every_compression_of_the_format_is_inflated() -> None:
    for suffix, packed in (
        (".xz", lzma.compress(b"x")),
        (".gz", gzip.compress(b"x")),
        ("", b"x"),
    ):
        assert inflate(packed, suffix=suffix, where="Packages") == b"x"


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        (".xz", b""),
        (".xz", b"junk"),
        (".xz", lzma.compress(b"x" * 999)[:-9]),
        (".gz", b"junk"),
        (".gz", gzip.compress(b"x")[:-5]),
        (".gz", lzma.compress(b"x")),
    ],
    ids=["xz-empty", "xz-junk", "xz-cut-off", "gz-junk", "gz-cut-off", "gz-that-is-xz"],
)
def test_a_damaged_file_is_refused(suffix: str, data: bytes) -> None:
    with pytest.raises(UntrustedError, match="cannot be inflated"):
        inflate(data, suffix=suffix, where="Packages")


NAMES = st.sampled_from(["aa", "bb", "cc", "dd"])
STANZAS = st.builds(
    lambda name, version, architecture, provides, before: (
        name,
        version,
        architecture,
        provides,
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
        + (f"Provides: {', '.join(provides)}\n" if provides else "")
        if before
        else (f"Provides: {', '.join(provides)}\n" if provides else "")
        + f"Version: {version}\nArchitecture: {architecture}\nPackage: {name}\n",
    ),
    NAMES,
    st.sampled_from(["1", "2"]),
    st.sampled_from(["amd64", "all", "arm64"]),
    st.lists(NAMES, max_size=2),
    st.booleans(),
)


@given(st.lists(STANZAS, max_size=8), st.integers(1, 3))
def test_the_scan_finds_what_reading_everything_finds(stanzas: list[tuple], gap: int) -> None:
    file = packages(("\n" * gap).join(text for *_, text in stanzas))

    for name in ("aa", "bb", "cc", "dd"):
        assert [version for version, _ in file.versions(name, "amd64")] == [
            version for found, version, of, *_ in stanzas if found == name and of in ("amd64", "all")
        ]
        assert file.providers(name) == {found for found, _, _, provides, _ in stanzas if name in provides}
    assert set(file.names()) == {name for name, *_ in stanzas}


def test_the_newest_version_of_all_indexes_is_the_candidate(complete: Complete) -> None:
    main = packages(complete("Package: aa\nVersion: 9\n\nPackage: bb\nVersion: 2\nProvides: cc"))
    updates = packages(complete("Package: aa\nVersion: 10\n\nPackage: bb\nVersion: 2~rc1"), archive="updates")

    for files in ((main, updates), (updates, main)):
        universe = Universe(files, "amd64")
        assert universe.candidate("aa").version == "10"
        assert universe.candidate("bb").archive == "debian"
        assert universe.candidate("cc") is None
        assert [package.name for package in universe.providers("cc")] == ["bb"]


def test_of_equal_versions_the_first_index_has_the_candidate(complete: Complete) -> None:
    files = [packages(complete("Package: aa"), archive=name) for name in ("debian", "security")]

    assert Universe(files, "amd64").candidate("aa").archive == "debian"


def test_backports_give_only_what_nothing_else_has(complete: Complete) -> None:
    main = packages(complete("Package: aa"))
    backports = packages(
        complete("Package: aa\nVersion: 2\n\nPackage: bb"), archive="backports", automatic=False
    )
    universe = Universe([backports, main], "amd64")

    assert universe.candidate("aa").version == "1"
    assert universe.candidate("bb").archive == "backports"


def test_a_version_that_no_longer_provides_is_not_a_provider(complete: Complete) -> None:
    main = packages(complete("Package: aa\nProvides: cc"))
    updates = packages(complete("Package: aa\nVersion: 2"))

    assert Universe([main, updates], "amd64").providers("cc") == ()
