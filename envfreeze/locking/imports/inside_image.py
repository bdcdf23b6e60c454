"""The packages of an image: which of its Pythons is meant, and what lies in its site-packages.

An image's PATH says which Python its programs run on; the environment of that Python is what is taken. The
files that tell about packages are written to a temporary folder and read there as those of any environment
(`environment`). What dpkg has is told of and not taken: the base that is locked has its own.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import EnvfreezeError, MachineError, UsageError
from envfreeze.locking.imports import environment
from envfreeze.locking.imports.model import ImportedDeb
from envfreeze.oci import canonical, merged
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.oci.image import Image
    from envfreeze.oci.merged import Merged

_WANTED = re.compile(
    r"(?:.*/)?(?:site|dist)-packages/[^/]+\.(?:dist|egg)-info"
    r"(?:/(?:METADATA|PKG-INFO|INSTALLER|REQUESTED|RECORD|direct_url\.json))?"
    r"|(?:.*/)?conda-meta/[^/]+\.json|(?:.*/)?pyvenv\.cfg"
    r"|var/lib/dpkg/status(?:\.d/[^/]+)?|var/lib/apt/extended_states"
)
_ENVIRONMENT = re.compile(
    r"(?P<prefix>.*?)(?:/?lib(?:64)?/python3\.\d+/(?:site|dist)-packages/|/?conda-meta/).+"
)
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What container engines take where an image says nothing."""
_OWN_SET = frozenset({"required", "important", "standard"})
_CACHES = frozenset({"pkgs", ".cache"})


def read(image: Image, *, shown: str, prefix: str | None) -> ImportedLock:
    """Read the packages of an image; arguments and errors are those of `environment.read_image`."""
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-image-") as temporary:
            folder = Path(temporary).resolve()
            found = merged.extract(image, lambda path: _WANTED.fullmatch(path) is not None, folder)
            try:
                return _read(found, _variables(image), shown, prefix)
            except EnvfreezeError as error:
                # Paths in it are those of the image.
                error.message = f"{shown}: {error.message.replace(f'{found.root}/', '/')}"
                raise
    except OSError as error:
        raise MachineError(
            f"no room to read {shown} in: {error.filename or tempfile.gettempdir()}: {error.strerror}",
            hint="set TMPDIR to a folder that can be written",
        ) from error


@dataclass(frozen=True, slots=True)
class _Found:
    """An environment of the image."""

    prefix: str
    lock: ImportedLock

    @property
    def is_empty(self) -> bool:
        return not self.lock.packages and not self.lock.conda


def _read(found: Merged, variables: Mapping[str, str], shown: str, prefix: str | None) -> ImportedLock:
    places = _prefixes(found.root)
    debs = tuple(_debs(found.root))
    if prefix is not None:
        wanted = [found.resolve(prefix.strip("/"))]
        if wanted[0] not in places:
            raise UsageError(f"/{wanted[0]} is no environment with packages in it", hint=_hint(places))
    else:
        wanted = [place for place in _on_path(found, variables) if place in places]
        wanted = wanted or ([*places] if len(places) == 1 else [])
    environments = [_environment(found, place) for place in wanted]
    chosen = next((one for one in environments if not one.is_empty), None)
    if chosen is None and environments:
        chosen = environments[0]
    if chosen is None:
        what = (
            "no environment with packages" if not places else "several environments, and none is on its PATH"
        )
        raise UsageError(f"it holds {what}", hint=_hint(places))
    return replace(chosen.lock, file=f"the environment /{chosen.prefix} of {shown}", debs=debs)


def _hint(places: Mapping[str, None]) -> str:
    if not places:
        return "take the packages of an image in which pip or conda has installed some"
    return f"name one: --from-env-prefix /{' or /'.join(places)}"


def _environment(found: Merged, place: str) -> _Found:
    lock = environment.read(found.root / place)
    settings = found.root / place / "pyvenv.cfg"
    base = _system(settings.read_text("utf-8", "replace")) if settings.is_file() else None
    below = None if base is None else found.resolve(base)
    if below is not None and below != place and (found.root / below).is_dir():
        # The virtual environment sees the packages below it, where it has none of that name itself.
        under = environment.read(found.root / below)
        names = {package.name for package in lock.packages}
        further = tuple(package for package in under.packages if package.name not in names)
        asked = (lock.requested or frozenset()) | (under.requested or frozenset())
        lock = replace(
            lock,
            packages=(*lock.packages, *further),
            conda=(*lock.conda, *under.conda),
            requested=asked or None,
        )
    return _Found(place, lock)


def _system(settings: str) -> str | None:
    """Give the prefix of the Python that a virtual environment adds to; None: it stands alone (PEP 405)."""
    pairs = (line.partition("=") for line in settings.splitlines())
    known = {key.strip(): value.strip() for key, _, value in pairs}
    if known.get("include-system-site-packages", "").lower() != "true":
        return None
    return known.get("home", "").rstrip("/").removesuffix("/bin").strip("/")


def _prefixes(root: Path) -> dict[str, None]:
    """Every folder that holds an environment, those of caches of packages left out, sorted."""
    found = set()
    for path in root.rglob("*"):
        match = _ENVIRONMENT.fullmatch(path.relative_to(root).as_posix())
        if match is not None and not _CACHES & set(match["prefix"].split("/")):
            found.add(match["prefix"].strip("/"))
    return dict.fromkeys(sorted(found))


def _on_path(found: Merged, variables: Mapping[str, str]) -> Iterator[str]:
    folders = [variables[name] for name in ("VIRTUAL_ENV", "CONDA_PREFIX") if variables.get(name)]
    for folder in variables.get("PATH", _PATH).split(":"):
        head, _, last = folder.rstrip("/").rpartition("/")
        if last == "bin" and folder.startswith("/"):
            folders.append(head)
    seen = set()
    for folder in folders:
        place = found.resolve(folder.strip("/"))
        if place not in seen:
            seen.add(place)
            yield place


def _variables(image: Image) -> dict[str, str]:
    config = canonical.parse(image.config, "the image's config").get("config")
    listed = config.get("Env") if isinstance(config, dict) else None
    pairs = (text.partition("=") for text in listed or () if isinstance(text, str))
    return {name: value for name, _, value in pairs}


def _debs(root: Path) -> Iterator[ImportedDeb]:
    """Read dpkg's status, and of distroless images what stands in its place (`status.d`)."""
    from debian.deb822 import Deb822, Packages  # noqa: PLC0415 - heavy

    folder = root / "var/lib/dpkg"
    files = [folder / "status", *sorted((folder / "status.d").glob("*"))]
    automatic = set()
    states = root / "var/lib/apt/extended_states"
    if states.is_file():
        for stanza in Deb822.iter_paragraphs(states.read_bytes(), use_apt_pkg=False):
            if stanza.get("Auto-Installed") == "1":
                automatic.add(stanza.get("Package"))
    for file in files:
        if not file.is_file() or file.suffix == ".md5sums":
            continue
        for stanza in Packages.iter_paragraphs(file.read_bytes(), use_apt_pkg=False):
            name, version = stanza.get("Package"), stanza.get("Version")
            if not name or not version or not stanza.get("Status", "ok installed").endswith("ok installed"):
                continue
            own = stanza.get("Essential") == "yes" or stanza.get("Priority") in _OWN_SET
            yield ImportedDeb(name, version, requested=not own and name not in automatic)
