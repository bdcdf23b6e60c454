"""Say where everything comes from."""

import sys
import sysconfig
import zlib
from importlib.metadata import distribution


def main() -> None:
    """Print the Python, its zlib and a package of the index."""
    rich = distribution("rich")
    print(f"Python {sys.version.split()[0]} in {sys.prefix}")
    print(f"zlib {zlib.ZLIB_RUNTIME_VERSION}")
    print(f"rich {rich.version} in {sysconfig.get_path('purelib')}")


if __name__ == "__main__":
    main()
