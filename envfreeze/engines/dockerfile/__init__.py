"""A lock as a Dockerfile: a folder that `docker build` turns into the image, where nobody knows envfreeze.

`write` gives the folder; who runs a builder over it is not known here.
"""

from __future__ import annotations

from envfreeze.engines.dockerfile.folder import DOCKERFILE, BuildFolder, write

__all__ = ["DOCKERFILE", "BuildFolder", "write"]
