from __future__ import annotations

import pytest

from envfreeze.errors import MachineError, UsageError
from envfreeze.oci import docker


@pytest.mark.parametrize(
    "tag", ["", "Digits", "a b", "-a", "a:", ":a", "a:-b", "a//b", "a@sha256:00", "--help", "a\nb", "a/"]
)
def test_what_is_no_name_is_wrong_use(image, tag):
    with pytest.raises(UsageError, match="not a name"):
        docker.load(image, tag=tag)


def test_no_engine_is_said_with_what_was_tried(image, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match="no container engine") as caught:
        docker.load(image)
    assert caught.value.exit_code == 7
    assert caught.value.details == ("docker: not installed", "podman: not installed")
    assert "start Docker or install Podman" in caught.value.hint
