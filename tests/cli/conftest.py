from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        (line,) = self.stdout.splitlines()
        return json.loads(line)


@pytest.fixture
def envfreeze(tmp_path: Path) -> Callable[..., Ended]:
    """Run the command line as a process of its own, in the test's folder."""

    def run(*arguments: str, **environment: str) -> Ended:
        process = subprocess.run(
            [sys.executable, "-m", "envfreeze", *arguments],
            cwd=tmp_path,
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(process.returncode, process.stdout, process.stderr)

    return run
