"""The facts about CUDA as tables: one loader for the files of `data/`, or of a folder of the same form.

Each table is parsed when it is first asked for and checked row by row: a malformed one is an error that
names file and line, never an answer. A folder that is given is checked whole, at once.
"""

from __future__ import annotations

import csv
import json
from datetime import date
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import tomli

from envfreeze.errors import UntrustedError
from envfreeze.gpu.cuda_rows import ArchSupport, Cudart, MinorCompat, Product, ToolkitDriver
from envfreeze.gpu.framework_rows import Determinism, FrameworkLock, TorchKernels, TorchRelease
from envfreeze.gpu.image_rows import ImageDemand, TagRow
from envfreeze.gpu.model import Version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FORMAT = 1
"""The form of the files that this version of envfreeze reads."""

MANIFEST = "manifest.toml"
_TABLES = {
    "architectures": "cuda_arch_support.csv",
    "toolkits": "cuda_toolkit_driver.csv",
    "cudarts": "cuda_version_to_cudart.csv",
    "determinism": "determinism_env.csv",
    "forward_compat": "forward_compat.json",
    "framework_locks": "framework_lock_cuda.csv",
    "products": "gpu_compute_capability.csv",
    "minor_compat": "minor_version_compat.csv",
    "tags": "nvidia_cuda_tags.csv",
    "demands": "nvidia_require_cuda.json",
    "semantics": "nvidia_require_semantics.json",
    "torch_releases": "torch_release_cuda.csv",
    "torch_kernels": "torch_wheel_archs.csv",
}
FILES = tuple(_TABLES.values())
"""Every file of a set of tables, beside `manifest.toml`."""
_DATA = Path(__file__).parent / "data"
_HINT = "take the tables from where they were published again, or leave the update out"
_CELLS = frozenset(("C", "N/A", "X"))

_Row = TypeVar("_Row")
_Read = TypeVar("_Read", covariant=True)  # noqa: PLC0105 - of one protocol, where it cannot be misread


class _Readable(Protocol[_Read]):
    """A row type: made from the cells of a row."""

    def read(self, cells: dict[str, str]) -> _Read: ...


class Tables:
    """A set of tables. Rows are in the order of their files.

    Attributes:
        folder: that the files are in.
        version: the day that they were put together, `2026-11-21`.

    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = self._manifest()

    @cached_property
    def digest(self) -> str:
        """`sha256:` of what the tables say: of their cells, whatever the line ends and the spaces in JSON."""
        whole = json.dumps(
            {name: self._content(name) for name in FILES}, sort_keys=True, separators=(",", ":")
        )
        return f"sha256:{sha256(whole.encode()).hexdigest()}"

    @cached_property
    def toolkits(self) -> tuple[ToolkitDriver, ...]:
        """The oldest driver of each toolkit release."""
        return self._rows("cuda_toolkit_driver.csv", ToolkitDriver)

    @cached_property
    def releases(self) -> Mapping[Version, tuple[ToolkitDriver, ...]]:
        """The rows of `toolkits` by major and minor version, the oldest release first."""
        found: dict[Version, list[ToolkitDriver]] = {}
        for row in sorted(self.toolkits, key=lambda row: row.cuda):
            found.setdefault(row.cuda.minor, []).append(row)
        return MappingProxyType({minor: tuple(rows) for minor, rows in found.items()})

    @cached_property
    def cudarts(self) -> tuple[Cudart, ...]:
        """The CUDA runtime in each toolkit release."""
        return self._rows("cuda_version_to_cudart.csv", Cudart)

    @cached_property
    def architectures(self) -> tuple[ArchSupport, ...]:
        """The toolkits of each compute capability."""
        return self._rows("cuda_arch_support.csv", ArchSupport)

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """GPUs by name."""
        return self._rows("gpu_compute_capability.csv", Product)

    @cached_property
    def minor_compat(self) -> Mapping[int, MinorCompat]:
        """The oldest driver of each major CUDA version."""
        rows = self._rows("minor_version_compat.csv", MinorCompat)
        return MappingProxyType({row.major: row for row in rows})

    @cached_property
    def forward_compat(self) -> Mapping[Version, Mapping[int, str]]:
        """For each CUDA and driver branch: `C` compatible, `N/A` not needed, `X` no package for it."""
        name = "forward_compat.json"
        document = self._content(name)
        try:
            branches = [int(branch) for branch in document["columns_driver_branch"]]
            rows = {
                Version.parse(cuda): dict(zip(branches, cells, strict=True))
                for cuda, cells in document["rows"].items()
            }
            odd = next((cuda for cuda, cells in rows.items() if not _CELLS.issuperset(cells.values())), None)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self._wrong(name, None, error) from error
        if odd is not None:
            line = self._text(name).partition(f'"{odd}"')[0].count("\n") + 1
            raise self._wrong(name, line, ValueError(f"CUDA {odd}: a cell is not C, N/A or X"))
        return MappingProxyType(rows)

    @cached_property
    def demands(self) -> tuple[ImageDemand, ...]:
        """What NVIDIA's images demand of their host."""
        name = "nvidia_require_cuda.json"
        rows = []
        for line, cells in self._elements(name):
            try:
                branches = {
                    int(branch): tuple(str(brand) for brand in brands)
                    for branch, brands in cells["extra_branches"].items()
                }
                rows.append(
                    ImageDemand(
                        Version.parse(cells["cuda"]),
                        tuple(cells["os"]),
                        str(cells["cuda_floor"]),
                        MappingProxyType(branches),
                        str(cells["source"]),
                    )
                )
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise self._wrong(name, line, error) from error
        return tuple(rows)

    @cached_property
    def semantics(self) -> Mapping[str, Any]:
        """How requirements are written and read, with its source."""
        name = "nvidia_require_semantics.json"
        document = self._content(name)
        if not isinstance(document, dict) or not {"source", "grammar", "semantics"} <= set(document):
            raise self._wrong(name, None, ValueError("source, grammar or semantics is missing"))
        return MappingProxyType(document)

    @cached_property
    def tags(self) -> tuple[TagRow, ...]:
        """The tags of NVIDIA's images, as far as known."""
        return self._rows("nvidia_cuda_tags.csv", TagRow)

    @cached_property
    def torch_releases(self) -> tuple[TorchRelease, ...]:
        """The CUDA versions that each torch release is built for."""
        return self._rows("torch_release_cuda.csv", TorchRelease)

    @cached_property
    def torch_kernels(self) -> tuple[TorchKernels, ...]:
        """The GPUs that a build of torch has kernels for."""
        return self._rows("torch_wheel_archs.csv", TorchKernels)

    @cached_property
    def framework_locks(self) -> tuple[FrameworkLock, ...]:
        """What frameworks were locked to on a day."""
        return self._rows("framework_lock_cuda.csv", FrameworkLock)

    @cached_property
    def determinism(self) -> tuple[Determinism, ...]:
        """What makes results the same from run to run."""
        return self._rows("determinism_env.csv", Determinism)

    def check(self) -> None:
        """Parse every table.

        Raises:
            UntrustedError: one is missing or malformed; the message names file and line.

        """
        empty = next((name for table, name in _TABLES.items() if not getattr(self, table)), None)
        if empty is not None:
            raise self._wrong(empty, None, ValueError("the table has no rows"))

    def _text(self, name: str) -> str:
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise UntrustedError(
                f"the table {self.folder / name} cannot be read: {reason}", hint=_HINT
            ) from error

    def _wrong(self, name: str, line: int | None, error: Exception) -> UntrustedError:
        what = f"the column or key {error} is missing" if isinstance(error, KeyError) else str(error)
        where = self.folder / name if line is None else f"{self.folder / name}:{line}"
        return UntrustedError(f"{where}: {what}", hint=_HINT)

    def _manifest(self) -> str:
        try:
            manifest = tomli.loads(self._text(MANIFEST))
            form, version = manifest["format"], str(manifest["version"])
            date.fromisoformat(version)
        except (tomli.TOMLDecodeError, KeyError, ValueError) as error:
            raise self._wrong(MANIFEST, None, error) from error
        if form != FORMAT:
            raise UntrustedError(
                f"{self.folder / MANIFEST}: the tables have format {form}, this envfreeze reads {FORMAT}",
                hint="update envfreeze" if isinstance(form, int) and form > FORMAT else _HINT,
            )
        return version

    def _content(self, name: str) -> Any:  # noqa: ANN401 - what JSON gives
        """The cells of a table, rows of texts of a CSV file."""
        if name.endswith(".csv"):
            return [cells for _, cells in self._lines(name)]
        text = self._text(name)
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise self._wrong(name, error.lineno, ValueError(error.msg)) from error
        except (RecursionError, ValueError) as error:
            raise self._wrong(
                name, None, ValueError("it is nested too deeply, or has a huge number")
            ) from error

    def _lines(self, name: str) -> Sequence[tuple[int, list[str]]]:
        reader = csv.reader(self._text(name).splitlines(keepends=True), strict=True)
        try:
            return [(reader.line_num, cells) for cells in reader if cells]
        except csv.Error as error:
            raise self._wrong(name, reader.line_num, error) from error

    def _rows(self, name: str, row: _Readable[_Row]) -> tuple[_Row, ...]:
        (_, header), *lines = self._lines(name) or [(1, [])]
        rows = []
        for line, cells in lines:
            try:
                if len(cells) != len(header):
                    raise ValueError(f"the row has {len(cells)} cells, the header {len(header)}")  # noqa: TRY301
                rows.append(row.read(dict(zip(header, cells, strict=True))))
            except (KeyError, ValueError) as error:
                raise self._wrong(name, line, error) from error
        return tuple(rows)

    def _elements(self, name: str) -> Sequence[tuple[int, Any]]:
        """The elements of a JSON list, each with the line that it begins in."""
        text, decoder = self._text(name), json.JSONDecoder()
        found: list[tuple[int, Any]] = []
        if not isinstance(self._content(name), list):
            raise self._wrong(name, 1, ValueError("it is not a list"))
        at = text.index("[") + 1
        while True:
            at += len(text[at:]) - len(text[at:].lstrip(" \t\r\n,"))
            if text[at] == "]":
                return found
            element, end = decoder.raw_decode(text, at)
            found.append((text.count("\n", 0, at) + 1, element))
            at = end


@lru_cache(maxsize=1)
def _shipped() -> Tables:
    return Tables(_DATA)


def load(folder: Path | None = None) -> Tables:
    """The tables of a folder, else those that came with envfreeze.

    Raises:
        UntrustedError: a file is missing or malformed; the message names file and line. A folder that is
            given is parsed whole, envfreeze's own tables as they are asked for.

    """
    if folder is None:
        return _shipped()
    given = Tables(folder)
    given.check()
    return given
