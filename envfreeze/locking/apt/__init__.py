"""OS packages from signed apt archives: `resolve` a base, and tell whether a locked one is `satisfied`.

A pipeline: the suite (`suites`), where its archives are (`mirrors`), their signed indexes (`indexes`,
`release`), the packages in them (`index`, `relations`), the closure of what was asked for (`closure`), and
the values of the lock (`resolution`).
"""

from envfreeze.locking.apt.resolution import AptResolution, resolve, satisfied

__all__ = ["AptResolution", "resolve", "satisfied"]
