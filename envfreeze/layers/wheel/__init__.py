"""A wheel becomes the entries of a layer: what an installer would write, without writing it.

`archive` reads the zip and refuses what is not right about it, `scheme` says where each member goes,
`scripts` makes the commands, `record` the list of installed files; `package` puts them together.
"""

from __future__ import annotations

from envfreeze.layers.wheel.package import WheelPackage, dist_info_name, open_wheel

__all__ = ["WheelPackage", "dist_info_name", "open_wheel"]
