"""Options that were not given cost nothing.

To check an option's value typer builds a pydantic validator, for options without a value too, and to import
pydantic takes longer than most commands run. Here that waits until an option has a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterable


class Command(TyperCommand):
    """A command whose options are checked where they have a value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's context class is not public
        """Parse the command's arguments."""
        _check_late(self.get_params(ctx))
        return super().parse_args(ctx, args)


class Group(TyperGroup):
    """The same for what has commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's context class is not public
        """Parse the arguments before the command's name."""
        _check_late(self.get_params(ctx))
        return super().parse_args(ctx, args)


def _check_late(parameters: Iterable[Any]) -> None:
    """Let typer build the checks of parameters when they have something to check.

    Where typer keeps them is not public: without that place it builds them as ever, only sooner.
    """
    for parameter in parameters:
        if getattr(parameter, "_runtime_param", ...) is None:
            parameter._runtime_param = _Late(parameter.type_descriptor)  # noqa: SLF001 - see above


@dataclass(frozen=True, slots=True)
class _Late:
    """Stands where typer keeps the check of a parameter."""

    descriptor: Any

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:  # noqa: ANN401 - of typer's kinds
        """Check a value; no value is what typer makes of none."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        from typer._coercion import build_runtime_param  # noqa: PLC0415 - heavy, and not public

        return build_runtime_param(self.descriptor).coerce(value, param=param, ctx=ctx)
