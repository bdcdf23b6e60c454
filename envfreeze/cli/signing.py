"""Options of commands that sign, and who signs by them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from envfreeze.records.trust.signing import Who

Keyless = Annotated[
    bool,
    typer.Option("--keyless", help="Sign without a key, as whom this CI's identity token names (Sigstore)."),
]
IdentityToken = Annotated[
    Path | None,
    typer.Option(
        "--identity-token",
        metavar="FILE",
        help="With --keyless: the identity token (default: SIGSTORE_ID_TOKEN, else what the CI gives).",
        show_default=False,
    ),
]
TrustConfig = Annotated[
    Path | None,
    typer.Option(
        "--trust-config",
        metavar="FILE",
        help="With --keyless: the Sigstore instance, by its client trust configuration (default: public).",
        show_default=False,
    ),
]


def chosen(
    key: str | None, *, keyless: bool, token: Path | None, config: Path | None, option: str
) -> str | Who | None:
    """Say who signs by the options; None: nobody does.

    Args:
        key: of the option for keys.
        keyless: `--keyless`.
        token: `--identity-token`.
        config: `--trust-config`.
        option: what the option for keys is called.

    """
    if key is not None and keyless:
        raise typer.BadParameter(f"{option} signs with a key, and --keyless without: leave one of them out")
    if not keyless:
        for name, value in (("--identity-token", token), ("--trust-config", config)):
            if value is not None:
                raise typer.BadParameter(f"{name} is for --keyless")
        return key
    from envfreeze.records.trust.keyless import Keyless as Signing  # noqa: PLC0415 - heavy
    from envfreeze.records.trust.tokens import Source  # noqa: PLC0415 - heavy

    return Signing(config, Source(token))
