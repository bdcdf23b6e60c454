"""The Dockerfile of each kind of project, to the byte."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from envfreeze.engines.dockerfile import compiling
from envfreeze.locking.model import Devel, Source
from envfreeze.locking.pip import PipTarget
from envfreeze.locking.sources.compiled import Job
from envfreeze.oci.platform import Platform
from envfreeze.progress import SILENT
from envfreeze.project.load import load
from envfreeze.replacing import replace

GOLDEN = Path(__file__).parent / "golden"


def pip_on_a_suite(kit):
    wheels = (kit.wheel("alpha", entry_points="[console_scripts]\nalpha = alpha:main\n"), kit.wheel("beta"))
    (kit.root / "train.py").write_text("print('train')\n")
    lock = kit.lock(
        kit.target(wheels=wheels),
        include=("train.py",),
        env={"PYTHONHASHSEED": "0"},
        cmd=("python", "train.py"),
    )
    return lock, '[image]\ninclude = ["train.py"]\n'


def a_base_alone(kit):
    return kit.lock(kit.target()), ""


def conda(kit, conda_channel):
    packages = [
        built for built in conda_channel.every_kind() if built.index["name"] in {"python", "zlib", "pure"}
    ]
    for built in packages:
        kit.keep(built.content)
    locked = tuple(sorted((built.locked() for built in packages), key=lambda one: one.name))
    return kit.lock(kit.target(conda=locked, wheels=(kit.wheel("alpha"),))), ""


def os_packages_on_an_image(kit):
    root = kit.root
    (root / "src").mkdir()
    for name in ("src/model.py", "src/run", "train.py"):
        (root / name).write_text(name)
    (root / "src/run").chmod(0o755)
    (root / "src/latest.py").symlink_to("model.py")
    debs = (kit.deb("git", "1:2.47.3-0+deb13u1"), kit.deb("liberror-perl", requested=False))
    target = kit.target(
        base=kit.suite(*debs), image=kit.image(Labels={"a": "1"}, User="app"), wheels=(kit.wheel("alpha"),)
    )
    lock = kit.lock(
        target,
        include=("src", "train.py"),
        labels={"a": "1", "org.example.note": 'costs $5, "really"'},
        env={"DATA": "$HOME/data"},
        user="1000:1000",
        workdir="/work",
        entrypoint=("python", "-u"),
        cmd=("train.py",),
    )
    configuration = """
        [image]
        include = ["src/", "train.py"]
        user = "1000:1000"
        [docker]
        account = "trainer"
        before = ["RUN ldconfig"]
        after = ["RUN python -c 'import alpha'", '''
        RUN echo one \\
         && echo two''']
    """
    return lock, re.sub(r"(?m)^ {8}", "", configuration)


def an_image_s_own_python(kit):
    target = kit.target(base=kit.suite(), image=kit.image(), wheels=(kit.wheel("alpha"),))
    return kit.lock(target), ""


def a_standalone_python(kit, standalone_archive):
    archive = standalone_archive.archive(standalone_archive.small())
    python = replace(standalone_archive.locked(archive), prefix="opt/envfreeze/python")
    kit.keep(archive)
    target = kit.target(
        python="3.12.13",
        standalone=python,
        environment="opt/envfreeze/venv",
        image=kit.image(),
        base=kit.suite(),
        wheels=(kit.wheel("alpha"),),
    )
    return kit.lock(target), ""


def two_platforms(kit):
    arm = kit.target(
        platform=Platform.parse("linux/arm64"),
        base=kit.suite(kit.deb("base-files", "13.8", architecture="arm64")),
        wheels=(kit.wheel("alpha"),),
    )
    return kit.lock(kit.target(wheels=(kit.wheel("alpha"),)), arm), ""


def downloads(kit):
    debs = (kit.deb("git", "1:2.47.3-0+deb13u1"), kit.deb("libgl1"))
    target = kit.target(
        base=kit.suite(*debs), image=kit.image(), wheels=(kit.wheel("alpha"), kit.wheel("beta"))
    )
    return kit.lock(target), '[docker]\nnetwork = "default"\n'


def a_template(kit):
    (kit.root / "docker").mkdir()
    (kit.root / "docker/Dockerfile.j2").write_text(
        '{% extends "envfreeze/Dockerfile.j2" %}\n'
        "{% block head %}\n# Ours.\n{% endblock %}\n"
        "{% block stages %}\n"
        f"FROM registry.example.org/tools@sha256:{'0' * 64} AS tools\n"
        "{% endblock %}\n"
        "{% block settings %}\n{{ super() -}}\nENV NUMBER={{ part.wheels.count }}\n{% endblock %}\n"
        "{% block after %}\nCOPY --from=tools /bin/tool /usr/local/bin/tool\n"
        "COPY context/native/kernel.c /tmp/\n{% endblock %}\n"
    )
    (kit.root / "native").mkdir()
    (kit.root / "native/kernel.c").write_text("int main(void) { return 0; }\n")
    configuration = '[docker]\ntemplate = "docker/Dockerfile.j2"\ncontext = ["native/"]\n'
    return kit.lock(kit.target(wheels=(kit.wheel("alpha"),))), configuration


KINDS = (
    pip_on_a_suite,
    a_base_alone,
    os_packages_on_an_image,
    an_image_s_own_python,
    two_platforms,
    downloads,
    a_template,
)


def check(kit, made, name):
    golden = GOLDEN / f"{name}.Dockerfile"
    text = kit.text(*made)
    assert text == golden.read_text()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_kind_s_dockerfile_is_this(kit, kind):
    check(kit, kind(kit), kind.__name__)


def test_a_standalone_python_s_dockerfile_is_this(kit, standalone_archive):
    check(kit, a_standalone_python(kit, standalone_archive), "a_standalone_python")


def test_a_compiled_wheel_s_dockerfile_is_this(kit):
    source = Source(
        "sdist",
        "https://files.example.org/packages/ext-1.0.tar.gz",
        kit.keep(b"sdist"),
        5,
        python="3.13",
        requires=(kit.wheel("setuptools", "80.0"),),
    )
    devel = Devel("3.13.5", "2.41", kit.suite(kit.deb("base-files", "13.8"), kit.deb("g++", "4:14.2.0-1")))
    target = PipTarget(Platform.parse("linux/amd64"), "3.13.5", "2.41")
    job = Job(source, kit.cache.find(source.digest), devel, target, (), None, (("CFLAGS", "-O3"),))
    written = compiling.write(
        job, load(kit.root), kit.root.parent / "out", cache=kit.cache, progress=SILENT, offline=True
    )
    assert written.dockerfile.read_text() == (GOLDEN / "wheels.Dockerfile").read_text()
    assert written.stages == ("base", "python", "compile-1", "compile-2", "wheels")
    about = json.loads((written.path / "source/compile.json").read_text())
    assert about == {"env": {"CFLAGS": "-O3"}, "sdist": True, "subdirectory": ""}


def test_a_conda_environment_s_dockerfile_is_this(kit, conda_channel):
    check(kit, conda(kit, conda_channel), "conda")
