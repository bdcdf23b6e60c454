"""The jobs of docs/how-to/ci.md do what the page says: their commands are run, their triggers looked at."""

from __future__ import annotations

import base64
import fnmatch
import json
import re
from pathlib import Path

import pytest
import yaml

import envfreeze
from envfreeze.digest import Digest
from envfreeze.locking import files
from envfreeze.replacing import replace

PAGE = (Path(__file__).parents[2] / "docs/how-to/ci.md").read_text()
INSTALL = f"pip install envfreeze=={envfreeze.__version__}"
LOGIN = ("robot", "hush-hush")


def definition(kind):
    """A job's definition on the page."""
    (block,) = re.findall(rf"^```yaml {kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return yaml.safe_load(block)


def steps(kind, job, **values):
    """The commands of a job as one script, with the variables that the service sets."""
    if kind == "gitlab":
        commands, variables = definition(kind)[job]["script"], {}
    else:
        found = definition(f"{kind} {job}")["jobs"][job]
        runs = [step for step in found["steps"] if "run" in step]
        commands = [step["run"] for step in runs]
        variables = dict(found.get("env", {}))
        for step in runs:
            variables |= step.get("env", {})
    assert commands[0] == INSTALL, "the page installs another envfreeze than this"
    known = {
        name: re.sub(r"\$\{\{ (.+?) \}\}", lambda m: values[m[1]], text) for name, text in variables.items()
    }
    known |= {name: text for name, text in values.items() if name.isidentifier()}
    lines = [f"export {name}={json.dumps(text)}" for name, text in known.items()]
    return "\n".join([*lines, *commands[1:]])


def triggers(kind):
    """The files whose change starts the seal's job."""
    if kind == "gitlab":
        return definition(kind)["seal"]["rules"][0]["changes"]
    # YAML 1.1 takes `on` for a truth value.
    return definition("github seal")[True]["pull_request"]["paths"]


@pytest.fixture
def registry(registry_server):
    with registry_server.serve() as served:
        served.login = LOGIN
        yield served


@pytest.fixture
def work(small_project):
    made = small_project()
    assert made.run("lock", "--seal").code == 0
    made.commit()
    return made


@pytest.fixture
def values(registry):
    """What the services put into their variables."""
    return {
        "REGISTRY": registry.host,
        "github.actor": LOGIN[0],
        "secrets.GITHUB_TOKEN": LOGIN[1],
        "github.repository": "team/project",
        "github.sha": "0123456",
        "CI_REGISTRY": registry.host,
        "CI_REGISTRY_USER": LOGIN[0],
        "CI_REGISTRY_PASSWORD": LOGIN[1],
        "CI_REGISTRY_IMAGE": f"{registry.host}/team/project",
        "CI_COMMIT_SHA": "0123456",
    }


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_true_seal_passes_and_a_forged_one_ends_the_job(work, kind):
    script = steps(kind, "seal")
    done = work.shell(script)
    assert (done.returncode, done.stdout) == (0, "current\n"), done.stderr
    forge(work)
    done = work.shell(script)
    assert (done.returncode, done.stdout) == (1, "drift\n")
    assert "the seal says" in done.stderr


def forge(work):
    """Seal another layer than the packages become, with a checksum that fits."""
    lock = files.read(work.root)
    (target,) = lock.targets
    evil = replace(target.layers[-1].seal, digest=Digest.of(b"evil"))
    layers = (*target.layers[:-1], replace(target.layers[-1], seal=evil))
    files.write(replace(lock, targets=(replace(target, layers=layers),)), work.root)


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_what_was_merged_is_pushed_with_the_job_s_login(work, registry, values, kind):
    done = work.shell(steps(kind, "push", **values))
    assert done.returncode == 0, done.stderr
    assert "0123456" in registry.manifests["team/project/train"]
    shown = base64.b64encode(":".join(LOGIN).encode()).decode()
    assert not [secret for secret in (LOGIN[1], shown) if secret in done.stdout + done.stderr]


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_every_lock_file_starts_the_seal_s_job(work, kind):
    names = [
        *work.lock_files(),
        "pylock.linux-amd64.toml",
        "requirements.linux-amd64.lock.txt",
        "conda-lock.yml",
    ]
    assert len(names) == 6
    for name in names:
        assert any(fnmatch.fnmatch(name, pattern) for pattern in triggers(kind)), name
