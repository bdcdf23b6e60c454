"""Why there is no answer: what each index says of the packages that could not be found, and what helps.

A resolver that is given a sign-in page, or files without dates under `exclude-newer`, sees an index without
versions and says that there are none. Where that happens the indexes are asked once more, by us.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from envfreeze.errors import NetworkError, ResolutionError
from envfreeze.locking import indexes, way_out

if TYPE_CHECKING:
    from envfreeze.project.model import Project
    from envfreeze.store.client import Client

_WITHOUT = re.compile(
    r"there (?:is|are) no versions? of ([A-Za-z0-9._-]+?)(?:\[[^\]]*\])? and"
    r"|([A-Za-z0-9._-]+) was not found in the package registry"
    r"|No matching distribution found for ([A-Za-z0-9._-]*[A-Za-z0-9])"
    r"|/([A-Za-z0-9._-]+)/ does not provide upload-time"
)
_LINK = re.compile(rb"<a\s[^>]*href", re.IGNORECASE)
_NOT_FOUND = 404
_LONGEST = 32 << 20
_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2"


def explained(
    error: ResolutionError, project: Project, *, newest: str | None, offline: bool
) -> ResolutionError | NetworkError:
    """Give the error with a hint that helps; another one where an index is at fault.

    Args:
        error: the resolver's.
        project: whose indexes.
        newest: no file uploaded after this moment.
        offline: ask nobody.

    """
    error.hint = way_out.hint("\n".join([error.message, *error.details]), project) or error.hint
    if newest is not None:
        error.hint += f", or a later exclude-newer than {newest}"
    names = sorted(
        {
            name
            for found in _WITHOUT.findall(" ".join([error.message, *error.details]))
            for name in found
            if name
        }
    )
    where = indexes.of_project(project)
    urls = [*where.in_order, *(index.url for index in where.named if index.explicit)]
    if offline or not names or not urls:
        return error
    from envfreeze.store.client import Client  # noqa: PLC0415 - heavy

    client = Client()
    try:
        for name in names[:3]:
            for url in urls:
                found = _asked(client, url, name, project, dated=newest is not None)
                if found is not None:
                    return found
    finally:
        client.close()
    return error


def _asked(
    client: Client, index: str, name: str, project: Project, *, dated: bool
) -> ResolutionError | NetworkError | None:
    """Ask an index for a package; what is wrong with its answer, None where nothing is."""
    from envfreeze.store.client import AttemptError  # noqa: PLC0415 - heavy

    shown = indexes.without_credentials(index)
    if not shown.startswith("http"):
        return None
    url = indexes.authenticate(f"{index.rstrip('/')}/{name}/", project)
    try:
        with client.open(url, {"Accept": _ACCEPT}) as response:
            kind = response.headers.get("content-type", "")
            content = b""
            for piece in response.iter_raw():
                content += piece
                if len(content) > _LONGEST:
                    return None
    except AttemptError as failed:
        if failed.status == _NOT_FOUND:
            return None
        return NetworkError(
            f"the package index {shown} did not answer for {name}: {failed.reason}",
            hint="check the index's address and its credentials",
        )
    if "html" in kind and not _LINK.search(content):
        return NetworkError(
            f"the package index {shown} answers for {name} with a page that lists no files",
            hint="open it in a browser: a proxy or a sign-in page may answer in the index's place",
        )
    if dated and not _states_dates(kind, content):
        return ResolutionError(
            f"{shown} does not say when files of {name} were uploaded, so exclude-newer cannot hold there",
            hint="use an index that states upload times (PEP 700), or exempt the package: "
            f"[tool.uv] exclude-newer-package = {{ {name} = false }}",
        )
    return None


def _states_dates(kind: str, content: bytes) -> bool:
    if "json" not in kind:
        return False
    try:
        files = json.loads(content)["files"]
        return not files or any("upload-time" in file for file in files)
    except (ValueError, KeyError, TypeError):
        return True
