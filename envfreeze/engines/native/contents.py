"""What each package of a target puts into an image, as its layers would have it, without a layer made.

For whoever holds an image against a lock: the entries are those of `making`, in the order in which layers
and packages lie on each other.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from envfreeze.engines.native.artifacts import conda_of, debs_of, python_of, wheels_of
from envfreeze.layers.conda import open_conda
from envfreeze.layers.conda.record import FOLDER as CONDA_META
from envfreeze.layers.conda.record import record_name
from envfreeze.layers.deb import open_deb
from envfreeze.layers.deb.infofiles import conffiles
from envfreeze.layers.deb.merged import real
from envfreeze.layers.environment import environment_entries
from envfreeze.layers.standalone import open_standalone
from envfreeze.layers.system import system_entries
from envfreeze.layers.wheel import dist_info_name, open_wheel
from envfreeze.locking.model import CONDA_PREFIX, CondaPackage, Deb, StandalonePython, Wheel
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.layers.deb import DebPackage
    from envfreeze.layers.wheel.scheme import Scheme
    from envfreeze.locking.image.inventory import Inventory
    from envfreeze.locking.model import Target
    from envfreeze.oci.entry import Entry

Artifact = Deb | CondaPackage | StandalonePython | Wheel
"""What the lock has a hash of and an address."""

SYSTEM: Final = "system"
ENVIRONMENT: Final = "environment"

Piece = Artifact | str
"""An artifact, or what belongs to no single one: `SYSTEM` or `ENVIRONMENT`."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a piece puts into an image; contents are valid as long as it is open.

    Attributes:
        entries: in no particular order; of a package without parent folders.
        marker: the path whose presence says that the package is installed; empty where dpkg's status does.
        conffiles: paths of configuration files, which users may change (deb-conffiles(5)).
        sets_capabilities: whether a script of it gives files capabilities (setcap(8)).

    """

    entries: Sequence[Entry]
    marker: str = ""
    conffiles: frozenset[str] = frozenset()
    sets_capabilities: bool = False


def pieces(target: Target, lost: Collection[Digest] = (), *, system: bool = True) -> tuple[Piece, ...]:
    """The pieces of a target in the order of its plan, in which later packages overwrite earlier ones.

    Args:
        target: the target.
        lost: digests of artifacts that cannot be had: they are left out, and the system layer with any OS
            package, since it is a function of all of them.
        system: whether the system layer can be made at all.

    """
    found: list[Piece] = []
    for layer in target.layers:
        python = python_of(target, layer)
        match layer.kind:
            case "system":
                if system and not any(deb.digest in lost for deb in target.base.packages):
                    found.append(SYSTEM)
            case "environment":
                found.append(ENVIRONMENT)
            case _:
                artifacts: list[Artifact] = [*debs_of(target, layer), *conda_of(target, layer)]
                artifacts += [*([] if python is None else [python]), *wheels_of(target, layer)]
                found += [one for one in artifacts if one.digest not in lost]
    return tuple(found)


class Contents(AbstractContextManager["Contents"]):
    """Opens pieces; several threads may. OS packages stay open: the system layer is made of all of them.

    Args:
        target: the target.
        files: digest of an artifact to its file; what is not there is lost.
        scheme: where wheels go.
        scratch: a folder for inflated packages.
        conda: where conda packages go, without the leading slash.
        beneath: what the base holds, where that is an image.

    """

    def __init__(
        self,
        target: Target,
        files: Mapping[Digest, Path],
        *,
        scheme: Scheme,
        scratch: Path,
        conda: str = CONDA_PREFIX,
        beneath: Inventory | None = None,
    ) -> None:
        self._target = target
        self._files = files
        self._scheme = scheme
        self._scratch = scratch
        self._conda = conda
        self._beneath = beneath
        self._stack = ExitStack()
        self._debs: dict[str, DebPackage] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def opened(self, piece: Piece) -> Iterator[Content]:
        """Open a piece. `SYSTEM` has to come after all OS packages.

        Raises:
            UntrustedError: the artifact is not what was locked, or would write where it must not.
            MachineError: there is no room in `scratch`.

        """
        match piece:
            case Deb():
                yield self._deb(piece)
            case CondaPackage():
                with open_conda(
                    self._files[piece.digest],
                    piece,
                    self._scratch,
                    prefix=self._conda,
                    python=self._conda_python(),
                ) as package:
                    marker = f"{self._conda}/{CONDA_META}/{record_name(piece)}"
                    yield Content(package.entries, marker)
            case StandalonePython():
                with open_standalone(self._files[piece.digest], piece, self._scratch) as entries:
                    yield Content(entries, piece.interpreter.lstrip("/"))
            case Wheel():
                with open_wheel(self._files[piece.digest], piece, self._scheme) as package:
                    marker = f"{self._scheme.site_packages}/{package.dist_info}/METADATA"
                    yield Content(package.entries, marker)
            case str() if piece == SYSTEM:
                yield Content(system_entries(list(self._debs.values()), self._target, self._beneath))
            case _:
                yield Content(self._environment())

    def _deb(self, deb: Deb) -> Content:
        context = open_deb(self._files[deb.digest], deb, self._scratch)
        package = self._stack.enter_context(context)
        self._debs[deb.name] = package
        configuration = frozenset(
            real(path.removeprefix("/")) for path, shipped in conffiles(package.control) if shipped
        )
        return Content(
            package.entries,
            conffiles=configuration,
            sets_capabilities=b"setcap" in package.control.get("postinst", b""),
        )

    def _conda_python(self) -> str | None:
        provided = any(package.name == "python" for package in self._target.conda)
        return self._target.python_minor if provided else None

    def _environment(self) -> Sequence[Entry]:
        at_hand = [wheel for wheel in self._target.wheels if wheel.digest in self._files]
        names = {
            wheel.name: dist_info_name(self._files[wheel.digest], wheel)
            for wheel in at_hand
            if wheel.requested or wheel.direct
        }
        return environment_entries(replace(self._target, wheels=tuple(at_hand)), names)
