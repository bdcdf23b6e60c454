"""The commands of docs/how-to/trust.md do what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/how-to/trust.md").read_text()
TOKENS = ("eyJ", "request-token")
"""How JSON Web Tokens begin, and what the CI's own server wants to see."""


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def here(name, content):
    return f"cat > {name} <<'HERE'\n{content}HERE\n"


def test_what_is_signed_is_trusted_by_the_page_s_policy(project, registry_server):
    (policy,) = blocks("toml")
    script = here("policy.toml", policy) + "".join(blocks("sh"))
    with registry_server.serve() as registry:
        registry.referrers = True
        done = project.shell(f"REGISTRY={registry.host}\n{script}")
    assert done.returncode == 0, done.stderr
    public, built, attested, rebuilt, checked, bill, with_bill = done.stdout.split()
    assert public == "ci.pub"
    assert built == attested
    assert bill.startswith("sha256:")
    assert (rebuilt, checked, with_bill) == ("identical", "signed", "signed")
    assert "PRIVATE KEY" not in done.stdout + done.stderr


def test_an_identity_signs_and_the_page_s_policy_names_it(project, registry_server, sigstore_instance):
    (policy,) = blocks("toml identity")
    workflow = "team/train/.github/workflows/build.yml@refs/heads/main"
    with registry_server.serve() as registry, sigstore_instance.serve() as instance:
        registry.referrers = True
        instance.write(project.root).config.rename(project.root / "sigstore.json")
        given = "".join(
            f"export {name}={shlex.quote(text)}\n" for name, text in instance.ambient(workflow).items()
        )
        script = here("identity.toml", policy) + "".join(blocks("sh keyless"))
        done = project.shell(f"REGISTRY={registry.host}\n{given}{script}")
    assert done.returncode == 0, done.stderr
    built, attested, checked = done.stdout.split()
    assert (built, checked) == (attested, "signed")
    assert f"as https://github.com/{workflow}" in done.stderr
    assert not any(part in done.stdout + done.stderr for part in TOKENS)


def test_the_page_s_extra_is_one():
    (command,) = blocks("sh extra")
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert command.strip() == 'pip install "envfreeze[sigstore]"'
    assert "[project.optional-dependencies]\nsigstore = [" in project
