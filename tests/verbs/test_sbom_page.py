"""The commands of docs/how-to/sbom.md do what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/how-to/sbom.md").read_text()


def test_the_page(project, registry_server):
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    with registry_server.serve() as registry:
        done = project.shell(f"REGISTRY={registry.host}\n{script}")
        assert done.returncode == 0, done.stderr
        kinds = {json.loads(raw).get("artifactType") for _, raw in registry.manifests["team/train"].values()}
    assert {"application/vnd.cyclonedx+json", "application/spdx+json"} <= kinds
    for name in ("train.cdx.json", "train.spdx.json", "image.cdx.json"):
        assert json.loads((project.root / name).read_bytes())
    assert (
        f"{len(json.loads((project.root / 'image.cdx.json').read_bytes())['components'])} packages"
        in done.stderr
    )
