"""A command's script by another installer is the same command, and nothing else passes for one."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.compare.installed.launchers import is_same_command
from envfreeze.layers.wheel.scripts import EntryPoint, rewrite_shebang, script

PYTHON = "/opt/venv/bin/python"
OURS = script(EntryPoint("tool", "pkg.cli", "app.main"), PYTHON)
HEADS = {
    "python": "#!/opt/venv/bin/python\n",
    "python3": "#!/opt/venv/bin/python3\n",
    "python3.13": "#!/opt/venv/bin/python3.13\n",
    "long": "#!/bin/sh\n'''exec' \"/opt/venv/bin/python3\" \"$0\" \"$@\"\n' '''\n",
    "long, bare": "#!/bin/sh\n'''exec' /opt/venv/bin/python \"$0\" \"$@\"\n' '''\n",
    "beside": (
        '#!/bin/sh\n\'\'\'exec\' "$(dirname -- "$(realpath -- "$0")")"/\'python3\' "$0" "$@"\n' + "' '''\n"
    ),
}
BODIES = {
    "pip": (
        "# -*- coding: utf-8 -*-\nimport re\nimport sys\nfrom pkg.cli import app\n"
        "if __name__ == '__main__':\n    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n"
        "    sys.exit(app.main())\n"
    ),
    "pip 25.3": (
        "import sys\nfrom pkg.cli import app\nif __name__ == '__main__':\n"
        "    sys.argv[0] = sys.argv[0].removesuffix('.exe')\n    sys.exit(app.main())\n"
    ),
    "uv": (
        '# -*- coding: utf-8 -*-\nimport sys\nfrom pkg.cli import app\nif __name__ == "__main__":\n'
        '    if sys.argv[0].endswith("-script.pyw"):\n        sys.argv[0] = sys.argv[0][:-11]\n'
        '    elif sys.argv[0].endswith(".exe"):\n        sys.argv[0] = sys.argv[0][:-4]\n'
        "    sys.exit(app.main())\n"
    ),
    "conda": (
        "# -*- coding: utf-8 -*-\nimport re\nimport sys\n\nfrom pkg.cli import app\n\n"
        "if __name__ == '__main__':\n"
        "    sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])\n    sys.exit(app.main())\n"
    ),
    "distlib": (
        "import re\nimport sys\nif __name__ == '__main__':\n    from pkg.cli import app\n"
        "    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])\n    sys.exit(app.main())\n"
    ),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_every_installer_s_script_is_the_same_command(head, body):
    assert is_same_command(OURS, (head + body).encode())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("#!/opt/venv/bin/python3\n", "#!/usr/bin/python3\n"),
        ("#!/opt/venv/bin/python3\n", "#!/opt/venv/bin/perl\n"),
        ("#!/opt/venv/bin/python3\n", "#!/opt/venv/bin/python3 -c x\n"),
        ("#!/opt/venv/bin/python3\n", ""),
        ("import sys\n", "import sys, os\n"),
        ("import sys\n", "import sys\nprint('x')\n"),
        ("import sys\n", "import evil as sys\n"),
        ("from pkg.cli import app", "from pkg.other import app"),
        ("from pkg.cli import app", "from .pkg.cli import app"),
        ("from pkg.cli import app", "from pkg.cli import evil as app"),
        ("from pkg.cli import app", "from pkg.cli import app, evil"),
        ("sys.exit(app.main())", "sys.exit(app.other())"),
        ("sys.exit(app.main())", "sys.exit(app.main(1))"),
        ("sys.exit(app.main())", "sys.exit(app.main() or evil())"),
        ("sys.exit(app.main())", "app.main()"),
        ("sys.argv[0] = sys.argv[0].removesuffix('.exe')", "sys.argv[0] = 'x'"),
        ("sys.argv[0] = sys.argv[0].removesuffix('.exe')", "sys.argv = evil()"),
        ("__name__ == '__main__'", "evil()"),
        ("    sys.exit(app.main())\n", "    sys.exit(app.main())\nelse:\n    evil()\n"),
        ("    sys.exit(app.main())\n", "    sys.exit(app.main()\n"),
        ("import sys\n", "import sys\0\n"),
    ],
)
def test_a_script_that_does_anything_else_is_another(before, after):
    text = HEADS["python3"] + BODIES["pip 25.3"]
    assert before in text
    assert not is_same_command(OURS, text.replace(before, after).encode())


def test_a_wheel_s_own_script_may_name_the_interpreter_otherwise_and_no_more():
    ours = rewrite_shebang(b"#!python\nprint('hello')\n", PYTHON)
    assert is_same_command(ours, b"#!/opt/venv/bin/python3\nprint('hello')\n")
    assert not is_same_command(ours, b"#!/opt/venv/bin/python3\nprint('bye')\n")
    assert not is_same_command(b"\x7fELF", b"\x7fELF")


@pytest.mark.parametrize("head", ["python", "long"])
@pytest.mark.parametrize("line", ["# coding: utf-7\n", "\n# coding: utf-7\n"])
def test_a_script_is_read_in_the_encoding_that_python_reads_it_in(head, line):
    """UTF-7 has `+ACIAIw-` for `"#`: what is a comment in it, Python runs where no such encoding counts."""
    body = BODIES["pip 25.3"].replace("import sys\n", 'import sys\n"+ACIAIw-"; evil()\n')
    assert not is_same_command(OURS, (HEADS[head] + line + body).encode())


names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)
dotted = st.lists(names, min_size=1, max_size=3).map(".".join)


@settings(max_examples=40)
@given(dotted, dotted, dotted, dotted)
def test_of_two_commands_only_the_same_pass_for_each_other(module, attribute, other, another):
    mine, theirs = EntryPoint("tool", module, attribute), EntryPoint("tool", other, another)
    found = script(theirs, PYTHON + "3")
    same = (module, attribute) == (other, another)
    assert is_same_command(script(mine, PYTHON), found) is same


@given(st.binary(max_size=200), st.sampled_from([b"", b"#!/opt/venv/bin/python\n"]))
def test_no_bytes_are_too_odd_to_be_judged(text, head):
    assert is_same_command(OURS, head + text) in {True, False}
