"""An archive of python-build-standalone as the entries of a layer (docs/formats/standalone-layer.md)."""

from envfreeze.layers.standalone.package import open_standalone

__all__ = ["open_standalone"]
