"""Where the members of a wheel go in the environment.

The rules are those of the binary distribution format ("Installing a wheel", packaging.python.org): the
root goes to site-packages, `NAME-VERSION.data/KEY/` to the place that its key names. Nothing may replace
the interpreter or what makes the folder an environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from envfreeze.errors import UntrustedError
from envfreeze.locking.model import CONDA_PREFIX

SITE_PACKAGES = "site-packages"


@dataclass(frozen=True, slots=True)
class Scheme:
    """The folders of an environment, without leading slashes.

    Attributes:
        prefix: `opt/venv`, or where conda provides Python `opt/conda`.
        python_minor: `3.13`.
        modules: the name of the folder that modules go into: `dist-packages` where Debian's own Python takes
            what pip installs (Debian Python policy, "Module Path"), which is read and never made.
        site_packages: where modules go.

    """

    prefix: str
    python_minor: str
    modules: str = SITE_PACKAGES
    site_packages: str = field(init=False)

    def __post_init__(self) -> None:
        site_packages = f"{self.prefix}/lib/python{self.python_minor}/{self.modules}"
        object.__setattr__(self, "site_packages", site_packages)

    @property
    def scripts(self) -> str:
        """Where commands go."""
        return f"{self.prefix}/bin"

    @property
    def interpreter(self) -> str:
        """What scripts name after `#!`: a conda environment's Python by its version, as conda does."""
        if self.modules != SITE_PACKAGES:
            return f"/usr/bin/python{self.python_minor}"
        name = f"python{self.python_minor}" if self.prefix == CONDA_PREFIX else "python"
        return f"/{self.prefix}/bin/{name}"

    @property
    def reserved(self) -> frozenset[str]:
        """What no package may own."""
        names = ["bin/python", "bin/python3", f"bin/python{self.python_minor}", "pyvenv.cfg"]
        names.append("conda-meta" if self.prefix == CONDA_PREFIX else "lib64")
        return frozenset(f"{self.prefix}/{name}" for name in names)

    def place(self, name: str, *, data_folder: str, distribution: str) -> tuple[str, bool]:
        """Say where a member goes and whether it is a script.

        Args:
            name: the member's path in the wheel.
            data_folder: `NAME-VERSION.data`.
            distribution: the distribution's name, for its headers' folder.

        Raises:
            UntrustedError: the wheel has a data key that the format does not know, or would replace what
                is reserved.

        """
        script = False
        if not name.startswith(data_folder + "/"):
            path = f"{self.site_packages}/{name}"
        else:
            key, _, rest = name[len(data_folder) + 1 :].partition("/")
            roots = {
                "purelib": self.site_packages,
                "platlib": self.site_packages,
                "scripts": self.scripts,
                "headers": f"{self.prefix}/include/site/python{self.python_minor}/{distribution}",
                "data": self.prefix,
            }
            if key not in roots or not rest:
                raise UntrustedError(f"{name!r} belongs to no folder of an environment")
            script = key == "scripts"
            path = f"{roots[key]}/{rest}"
        self.check(path, name)
        return path, script

    def check(self, path: str, name: str) -> None:
        """Refuse a path that is reserved, or lies below one.

        Raises:
            UntrustedError: `name` would replace the interpreter or what makes the folder an environment.

        """
        if path.startswith(self.site_packages + "/"):
            return
        for reserved in self.reserved:
            if path == reserved or path.startswith(reserved + "/"):
                raise UntrustedError(f"{name!r} would replace /{reserved}, which belongs to the environment")
