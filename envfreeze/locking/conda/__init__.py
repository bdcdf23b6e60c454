"""The conda side: from an environment file's specs to locked packages, and what they provide to Python.

A pipeline: the channels (`channels`), what the target's system is (`virtual`), the solution (`resolution`,
with its errors in `failures`), what lies in the packages (`contents`), the Python distributions among them
(`names`, `provided`), all of it for a target (`target`), and `conda-lock.yml` (`lockfile`, with what
conda-lock itself says of it in `judged`).
"""

from envfreeze.locking.conda.channels import authenticate
from envfreeze.locking.conda.resolution import Wish, python_of, resolve
from envfreeze.locking.conda.target import Side, check_once, names_python, side

__all__ = ["Side", "Wish", "authenticate", "check_once", "names_python", "python_of", "resolve", "side"]
