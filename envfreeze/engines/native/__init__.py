"""The native engine: an image put together from the lock's artifacts, with nothing executed.

No daemon, no root, no emulation. `assemble` is the whole of it; `seal` writes what it gives into the lock.
"""

from __future__ import annotations

from envfreeze.engines.native.assemble import Assembly, TargetImage, assemble
from envfreeze.engines.native.seal import differences, hold, seal

__all__ = ["Assembly", "TargetImage", "assemble", "differences", "hold", "seal"]
