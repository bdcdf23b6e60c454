"""Counts what a Dockerfile takes from elsewhere, and what of that is not pinned. Not a test.

It reads with dockerfile-parse and knows nothing of how the Dockerfile came about: what it would find in
anybody's it finds in ours. `tests/conftest.py` hands it out as the fixture `dockerfile_lint`.
"""

from __future__ import annotations

import io
import itertools
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dockerfile_parse import DockerfileParser

if TYPE_CHECKING:
    from collections.abc import Iterator

DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
DEB = re.compile(r"(?:^|/)[a-z0-9][a-z0-9+.-]+_[^_/]*[0-9][^_/]*_(?:amd64|arm64|all)\.deb$")
OPERATORS = {"&&", "||", ";", "|", "&", "!", "{", "}", "(", ")"}
INSTALLERS = {
    "npm",
    "gem",
    "cargo",
    "go",
    "apk",
    "yum",
    "dnf",
    "mamba",
    "micromamba",
    "conda",
    "uv",
    "pipx",
    "poetry",
}
DOWNLOADERS = {"curl", "wget", "git", "scp", "rsync"}


@dataclass
class Counts:
    """What a Dockerfile takes, and of that what is loose, each by its line.

    Attributes:
        images: images that stages, copies and mounts take from.
        loose_images: those without a digest.
        packages: OS packages that are installed.
        loose_packages: those without a version, or whose files nobody holds to a hash.
        installs: commands that install packages of languages.
        loose_installs: those that check no hash.
        downloads: files that are fetched.
        loose_downloads: those without a checksum.
        steps: RUN steps.
        open_steps: those that may use the network.

    """

    images: list[str] = field(default_factory=list)
    loose_images: list[str] = field(default_factory=list)
    packages: list[str] = field(default_factory=list)
    loose_packages: list[str] = field(default_factory=list)
    installs: list[str] = field(default_factory=list)
    loose_installs: list[str] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    loose_downloads: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    open_steps: list[str] = field(default_factory=list)

    @property
    def loose(self) -> list[str]:
        """All that is not pinned."""
        return [*self.loose_images, *self.loose_packages, *self.loose_installs, *self.loose_downloads]


def lint(text: str) -> Counts:
    """Count in a Dockerfile."""
    counts = Counts()
    stages = {"scratch"}
    for line in text.splitlines():
        if match := re.match(r"#\s*syntax\s*=\s*(\S+)", line, re.IGNORECASE):
            _image(match[1], line, counts, stages)
    for one in DockerfileParser(fileobj=io.BytesIO(text.encode())).structure:
        value, name = one["value"], one["instruction"]
        if name == "FROM":
            words = [word for word in value.split() if not word.startswith("--")]
            _image(words[0], value, counts, stages)
            stages |= set(words[2:3])
        elif name in {"COPY", "ADD"}:
            _copy(value, counts, stages)
        elif name == "RUN":
            _run(value, counts, stages)
    return counts


def _copy(value: str, counts: Counts, stages: set[str]) -> None:
    for source in re.findall(r"--from=(\S+)", value):
        _image(source, value, counts, stages)
    for url in re.findall(r"(?:https?|git|ssh|ftp)://\S+|git@\S+", value):
        counts.downloads.append(url)
        if not re.search(r"--checksum=sha256:[0-9a-f]{64}\s", value):
            counts.loose_downloads.append(url)


def _run(value: str, counts: Counts, stages: set[str]) -> None:
    for mount in re.findall(r"--mount=(\S+)", value):
        for source in re.findall(r"(?:^|,)from=([^,]+)", mount):
            _image(source, value, counts, stages)
    counts.steps.append(value)
    if not re.match(r"(?:--\S+\s+)*?--network=none\s", value):
        counts.open_steps.append(value)
    _commands(value, counts)


def _image(image: str, where: str, counts: Counts, stages: set[str]) -> None:
    if image.isdigit() or {image.replace("${TARGETARCH}", one) for one in ("amd64", "arm64")} & stages:
        return
    counts.images.append(image)
    if not DIGEST.search(image):
        counts.loose_images.append(where)


def _commands(value: str, counts: Counts) -> None:
    text = re.sub(r"^(?:--\S+\s+)+", "", value)
    checked = "sha256sum --check --strict" in text
    for words in _split(text):
        rest = list(itertools.dropwhile(lambda word: re.fullmatch(r"[A-Za-z_]\w*=.*", word), words)) or [""]
        program = rest[0].rpartition("/")[2]
        line = " ".join(words)
        if program in {"apt-get", "apt", "aptitude"} and {"install", "upgrade", "dist-upgrade"} & set(rest):
            _apt(rest, line, counts, checked=checked)
        elif program in DOWNLOADERS:
            counts.downloads.append(line)
            counts.loose_downloads.append(line)
        elif program in INSTALLERS:
            counts.installs.append(line)
            counts.loose_installs.append(line)
        elif any(re.search(r"(?:^|/)pip[\d.]*$|\.whl/pip$", word) for word in rest) and "install" in rest:
            counts.installs.append(line)
            if not {"--require-hashes", "--no-deps"} <= set(rest):
                counts.loose_installs.append(line)


def _apt(words: list[str], line: str, counts: Counts, *, checked: bool) -> None:
    named = False
    skip = False
    for word in words[words.index("install") + 1 if "install" in words else 1 :]:
        if skip or word.startswith("-"):
            skip = word in {"-o", "-t", "-c"} and not skip
            continue
        named = True
        counts.packages.append(word)
        pinned = (DEB.search(word) and checked) or re.fullmatch(r"[a-z0-9][a-z0-9+.-]+(?::\w+)?=\S+", word)
        if not pinned:
            counts.loose_packages.append(f"{word}: {line}")
    if not named:
        counts.loose_packages.append(line)


def _split(text: str) -> Iterator[list[str]]:
    """The simple commands of a script."""
    command: list[str] = []
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|(){}")
    lexer.whitespace_split = True
    lexer.commenters = ""
    for word in lexer:
        if word in OPERATORS or set(word) <= set(";&|(){}!"):
            if command:
                yield command
            command = []
        else:
            command.append(word)
    if command:
        yield command
