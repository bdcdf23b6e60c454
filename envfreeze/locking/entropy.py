"""The variables that `[entropy] seed` puts into an image.

Only what a framework documents as an environment variable that makes results repeat, and only where the
framework is locked. What has to be set in code (`torch.use_deterministic_algorithms`) is the user's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPS = re.compile(r"2\.[1-7](?:\..*)?")
"""Versions of TensorFlow that read TF_DETERMINISTIC_OPS."""


def variables(seed: int | None, packages: Mapping[str, str]) -> dict[str, str]:
    """The variables for a seed (None: none) and the locked packages of both sides, names with versions.

    The facts are those of gpu/data/determinism_env.csv:

    * PYTHONHASHSEED: the order of sets and of everything hashed by `str` (docs.python.org, using/cmdline).
    * CUBLAS_WORKSPACE_CONFIG: cuBLAS documentation 2.1.4, "Results Reproducibility"; must be set before
      the CUDA context exists, and costs nothing where there is no GPU.
    * TF_DETERMINISTIC_OPS: TensorFlow 2.1 to 2.7; from 2.8 on it takes a call in the code
      (tf.config.experimental.enable_op_determinism).
    * XLA_FLAGS: XLA's deterministic GPU operations, for JAX and TensorFlow.
    """
    if seed is None:
        return {}
    found = {"PYTHONHASHSEED": str(seed), "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
    if _OPS.fullmatch(packages.get("tensorflow", "")):
        found["TF_DETERMINISTIC_OPS"] = "1"
    if {"jax", "jaxlib", "tensorflow"} & packages.keys():
        found["XLA_FLAGS"] = "--xla_gpu_deterministic_ops=true"
    return found
