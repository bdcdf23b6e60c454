"""The docker-bake file of a matrix: a target for each build folder, and a group for each choice of an axis.

https://docs.docker.com/build/bake/reference/
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.engines.dockerfile import render
from envfreeze.oci.tar import MTIME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.project.matrix import Combination

NAME = "docker-bake.hcl"

TEMPLATE = "envfreeze/docker-bake.hcl.j2"


@dataclass(frozen=True, slots=True)
class BakeTarget:
    """A target.

    Attributes:
        name: of the combination.
        what: what the combination is, for people.
        context: the build folder, relative to the file's.
        platforms: what it is built for.

    """

    name: str
    what: str
    context: str
    platforms: tuple[str, ...]


def text(targets: Sequence[BakeTarget], combinations: Sequence[Combination], repository: str) -> str:
    """Write the file.

    Args:
        targets: one for each combination, in their order.
        combinations: of the matrix.
        repository: what images are called before their tag, where nobody says it.

    """
    choices = dict.fromkeys(choice for combination in combinations for choice in combination.choices)
    groups = [
        (choice, [one.name for one in combinations if choice in one.choices])
        for choice in choices
        if all(choice != one.name for one in combinations)
    ]
    values = {
        "epoch": MTIME,
        "groups": groups,
        "repository": hcl(repository),
        "targets": targets,
    }
    return render.plain(TEMPLATE, values, filters={"hcl": hcl})


def hcl(value: str) -> str:
    """A string of HCL, in which nothing is put in place of anything.

    https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md ("Template Literals")
    """
    return json.dumps(value).replace("${", "$${").replace("%{", "%%{")
