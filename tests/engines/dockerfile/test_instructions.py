"""What is read of a Dockerfile, and which images in it are refused."""

from __future__ import annotations

import io

import pytest
from dockerfile_parse import DockerfileParser
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.engines.dockerfile import instructions, words
from envfreeze.errors import UsageError

DIGEST = "sha256:" + "a" * 64


def read(text):
    return [(one.name, one.value, one.line) for one in instructions.read(text)]


def test_lines_are_continued_over_comments():
    assert read("# one\nRUN a \\\n  # two\n  b\n\ncopy x y\n") == [("RUN", "a   b", 2), ("COPY", "x y", 6)]


def test_what_a_here_document_holds_is_no_instruction():
    text = "RUN <<'EOF' python3 && cat <<-END\nfrom x import y\nEOF\n\tFROM z\n\tEND\nUSER 1\n"
    assert [name for name, _, _ in read(text)] == ["RUN", "USER"]


def test_a_here_document_without_an_end_is_the_rest():
    assert [name for name, _, _ in read("RUN <<EOF\nFROM x\n")] == ["RUN"]


def test_stages_are_named():
    text = "FROM scratch AS one\nFROM --platform=linux/amd64 one as two\nFROM two\n"
    assert instructions.stages(instructions.read(text)) == ("one", "two")


@pytest.mark.parametrize(
    "text",
    [
        "FROM scratch\n",
        f"FROM debian:trixie@{DIGEST}\n",
        "FROM scratch AS a\nFROM a\nCOPY --from=a /x /y\nCOPY --from=0 /x /y\n",
        "FROM scratch AS image-amd64\nFROM scratch AS image-arm64\nFROM image-${TARGETARCH}\n",
        f"FROM scratch\nRUN --mount=type=bind,from=tools@{DIGEST},target=/t true\n",
        f"# syntax=docker/dockerfile:1@{DIGEST}\nFROM scratch\n",
        "FROM scratch\nRUN <<EOF\nFROM debian\nEOF\n",
    ],
)
def test_pinned_images_and_stages_pass(text):
    instructions.check(instructions.read(text), text, ["amd64", "arm64"])


@pytest.mark.parametrize(
    ("text", "image", "line"),
    [
        ("FROM debian\n", "debian", 1),
        ("\nFROM --platform=linux/amd64 debian:trixie AS x\n", "debian:trixie", 2),
        ("FROM scratch\nCOPY --chmod=0644 --from=busybox /x /y\n", "busybox", 2),
        ("FROM scratch\nADD --from=busybox /x /y\n", "busybox", 2),
        ("FROM scratch\nRUN --mount=from=busybox,target=/x \\\n  true\n", "busybox", 2),
        ("FROM scratch AS image-amd64\nFROM image-${TARGETARCH}\n", r"image-\$\{TARGETARCH\}", 2),
        ("# syntax=docker/dockerfile:1\nFROM scratch\n", "docker/dockerfile:1", 1),
        (f"FROM debian@{DIGEST[:-1]}\n", "debian@sha256:a+", 1),
    ],
)
def test_an_image_without_a_digest_is_refused(text, image, line):
    with pytest.raises(UsageError, match=rf"line {line} of the Dockerfile takes the image {image} without"):
        instructions.check(instructions.read(text), text, ["amd64", "arm64"])


# dockerfile-parse leaves a backslash before `$` and `\\`, BuildKit does not: tests/integration shows that.
LINE = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"], exclude_characters="$\\"), max_size=30)


@given(LINE)
def test_a_value_is_what_the_builder_reads(text):
    written = f"FROM scratch\nENV A={words.value(text, 'A')}\n"
    assert DockerfileParser(fileobj=io.BytesIO(written.encode())).envs == {"A": text}


@given(
    st.lists(st.sampled_from(["RUN true", "COPY a b", "# x", "", "ENV A=1 \\\n  B=2", "FROM scratch AS a"]))
)
def test_it_reads_what_dockerfile_parse_reads(lines):
    text = "\n".join(lines) + "\n"
    parsed = DockerfileParser(fileobj=io.BytesIO(text.encode())).structure
    wanted = [(one["instruction"], one["startline"] + 1) for one in parsed if one["instruction"] != "COMMENT"]
    assert [(name, line) for name, _, line in read(text)] == wanted
