"""The variables that `[entropy] seed` puts into an image.

Only what a framework documents as an environment variable that makes results repeat, and only where the
framework is locked. What has to be set in code (`torch.use_deterministic_algorithms`) is the user's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


def variables(seed: int | None, packages: Collection[str]) -> dict[str, str]:
    """The variables for a seed (None: none) and the names of the locked Python packages.

    * PYTHONHASHSEED: the order of sets and of everything hashed by `str` (docs.python.org, using/cmdline).
    * CUBLAS_WORKSPACE_CONFIG: cuBLAS documentation 2.1.4, "Results Reproducibility"; must be set before
      the CUDA context exists, and costs nothing where there is no GPU.
    * TF_DETERMINISTIC_OPS: TensorFlow 2.1 to 2.7; later ones accept it.
    * XLA_FLAGS: XLA's deterministic GPU operations, for JAX and TensorFlow.
    """
    if seed is None:
        return {}
    found = {"PYTHONHASHSEED": str(seed), "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    if "tensorflow" in packages:
        found["TF_DETERMINISTIC_OPS"] = "1"
    if {"jax", "jaxlib", "tensorflow"} & set(packages):
        found["XLA_FLAGS"] = "--xla_gpu_deterministic_ops=true"
    return found
