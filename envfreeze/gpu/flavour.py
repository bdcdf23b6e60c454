"""Which image of NVIDIA's a stack needs as its base, if any: rules R7 and R8.

No tag is ever put together from its parts: a candidate is one that the registry lists, or, without its list,
one of the table, and then it says that it is not confirmed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from envfreeze.gpu.model import Version
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from envfreeze.gpu.image_rows import TagRow
    from envfreeze.gpu.model import Stack
    from envfreeze.gpu.tables import Tables

Need = Literal["nothing", "base", "runtime", "devel"]
"""What a stack needs of the system's CUDA: nothing, the runtime library, all libraries, the compilers too."""

SYSTEMS = ("ubuntu24.04", "ubuntu22.04", "ubuntu20.04")
"""The systems that are taken where none is preferred."""

_TAG = re.compile(
    r"(?P<cuda>[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3})-(?:(?P<token>cudnn[0-9]*)-)?(?P<flavour>base|runtime|devel)-(?P<os>[a-z]+[0-9.]*)"
)


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag of NVIDIA's CUDA images.

    Attributes:
        name: `12.8.1-runtime-ubuntu24.04`.
        cuda: the toolkit release.
        flavour: base, runtime or devel.
        os: `ubuntu24.04`.
        cudnn: of the flavour with cuDNN; None: without.
        end_of_life: known to be no longer kept up.
        confirmed: the registry lists it.

    """

    name: str
    cuda: Version
    flavour: str
    os: str
    cudnn: Version | None = None
    end_of_life: bool = False
    confirmed: bool = False


def candidates(
    stack: Stack,
    need: Need,
    *,
    os_preference: Sequence[str] = (),
    tables: Tables,
    available: Collection[str] | None = None,
    platform: str = "linux/amd64",
) -> tuple[Tag, ...]:
    """The tags that fit, the best first; () where nothing is needed, or no such tag is known.

    All are of the stack's major and minor CUDA version. First come those of its very toolkit release, those
    that are kept up, the preferred system, the newer release, and the one whose cuDNN is the lock's.

    Args:
        stack: what the lock brings.
        need: what it needs of the system's CUDA.
        os_preference: systems that are wanted, the best first; (): SYSTEMS.
        tables: the facts.
        available: the tags that the registry lists; None: it was not asked, the table is the hint.
        platform: of the image.

    """
    if need == "nothing" or stack.cuda is None:
        return ()
    systems = tuple(os_preference) or SYSTEMS
    known = {row.tag: row for row in tables.tags}
    if available is None:
        found = [_of_row(row) for row in tables.tags if _runs_on(row, platform)]
    else:
        found = [
            _of_listed(name, known.get(name)) for name in available if _runs_on(known.get(name), platform)
        ]
    fitting = [
        tag
        for tag in found
        if tag is not None
        and tag.flavour == need
        and tag.os in systems
        and tag.cuda.minor == stack.cuda.minor
        and (tag.cudnn is None or tag.cudnn == stack.cudnn)
    ]
    return tuple(
        sorted(
            fitting,
            key=lambda tag: (
                tag.cuda != stack.toolkit,
                tag.end_of_life,
                systems.index(tag.os),
                [-part for part in tag.cuda.parts],
                tag.cudnn is None,
                tag.name,
            ),
        )
    )


def saving(stack: Stack, tag: Tag) -> str:
    """What a plain base saves where the packages bring CUDA themselves; empty where they do not.

    NVIDIA's `base` flavour holds little beside the runtime; `runtime` and `devel` bring every library again.
    """
    decides = next((item for item in stack.evidence if item.decides), None)
    if (
        decides is None
        or stack.cuda is None
        or (stack.base and decides.source.startswith(stack.base.reference))
    ):
        return ""
    again = {"base": "the CUDA runtime", "runtime": "every CUDA library", "devel": "every CUDA library twice"}
    size = "" if stack.base is None or stack.base.size is None else f" ({stack.base.size} bytes)"
    text = f"{decides.source} brings CUDA {stack.cuda}; the driver comes from the host"
    return f"{text}: a plain base saves what {tag.name} has{size}, {again[tag.flavour]} among it"


def library_path(stack: Stack, tag: Tag) -> str:
    """A warning where a CUDA base breaks a framework of the stack; empty where it does not.

    NVIDIA's images set LD_LIBRARY_PATH to their own libraries, before those that JAX's packages bring.
    """
    jax = next((item for item in stack.frameworks if item.name in ("jax", "jaxlib")), None)
    if jax is None:
        return ""
    return (
        f"{tag.name} sets LD_LIBRARY_PATH, which hides the CUDA libraries of {jax.name} {jax.version}: "
        'set LD_LIBRARY_PATH = "" in [image] env'
    )


def _of_row(row: TagRow) -> Tag | None:
    """A row as a tag; None: it has a cuDNN of a version that is not known, or more than that."""
    if row.token and (row.cudnn is None or not row.token.startswith("cudnn")):
        return None
    return Tag(row.tag, row.cuda, row.flavour, row.os, row.cudnn if row.token else None, row.end_of_life)


def _of_listed(name: str, row: TagRow | None) -> Tag | None:
    """A listed tag, by the table where it is there, else by its own words; None: none that can be chosen."""
    if row is not None:
        tag = _of_row(row)
        return None if tag is None else replace(tag, confirmed=True)
    found = _TAG.fullmatch(name)
    if found is None or found["token"]:
        return None
    return Tag(name, Version.parse(found["cuda"]), found["flavour"], found["os"], confirmed=True)


def _runs_on(row: TagRow | None, platform: str) -> bool:
    """Whether a tag is for a platform, or may be: the table does not always say."""
    return row is None or not row.architectures or platform.rpartition("/")[2] in row.architectures
