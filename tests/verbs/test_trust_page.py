"""The commands of docs/how-to/trust.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/how-to/trust.md").read_text()


def test_what_is_signed_is_trusted_by_the_page_s_policy(project, registry_server):
    (policy,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    script = f"cat > policy.toml <<'POLICY'\n{policy}POLICY\n" + "".join(blocks)
    with registry_server.serve() as registry:
        done = project.shell(f"REGISTRY={registry.host}\n{script}")
    assert done.returncode == 0, done.stderr
    public, built, attested, rebuilt, checked = done.stdout.split()
    assert public == "ci.pub"
    assert built == attested
    assert (rebuilt, checked) == ("identical", "signed")
    assert "PRIVATE KEY" not in done.stdout + done.stderr
