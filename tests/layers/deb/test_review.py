"""What is said about maintainer scripts: all that is not done, and nothing about what is."""

from __future__ import annotations

import pytest

from envfreeze.layers.deb import review
from envfreeze.layers.deb.scripts.covered import COVERED


def said(postinst, name="libfoo", **more):
    control = {"control": b"", "postinst": ("#!/bin/sh\nset -e\n" + postinst).encode()}
    return review(control | more, name)


@pytest.mark.parametrize(
    "postinst",
    [
        "",
        (
            'case "$1" in\n configure)\n ;;\n abort-upgrade|abort-remove|abort-deconfigure)\n ;;\n *)\n'
            ' echo "unknown argument" >&2\n exit 1\n ;;\nesac\nexit 0\n'
        ),
        "ldconfig\n",
        "update-alternatives --install /usr/bin/x x /usr/bin/y 5 \\\n --slave /usr/man/x.1.gz x.1.gz /z.gz\n",
        "for i in vi ex; do update-alternatives --install /usr/bin/$i $i /usr/bin/vim 10; done\n",
        'dpkg-maintscript-helper rm_conffile /etc/x 1.0~ -- "$@"\n',
        "rm -f /etc/x.dpkg-old\n",
        ". /usr/share/debconf/confmodule\ndb_version 2.0\ndb_get x/y\n",
        'if [ "$1" = configure ] && [ -n "$2" ]; then chown root /etc/x; fi\n',
        (
            "# Automatically added by dh_installsystemd/13\nif deb-systemd-helper x; then odd thing; fi\n"
            "# End automatically added section\n"
        ),
        "if which py3compile >/dev/null 2>&1; then\n py3compile -p x\nfi\n",
        (
            "for v in 3.11; do\n python=python$v\n [ -x /usr/bin/$python ] || continue\n"
            " files=$(dpkg -L x | sed -n '/py$/p')\n"
            " /usr/bin/$python -E -S -O /usr/lib/$python/py_compile.py $files\ndone\n"
        ),
        "python3 -m compileall -q /usr/share/x\n",
        "pathfind() { return 1; }\nif pathfind ucf; then ucf -p /etc/sensors3.conf || true; fi\n",
        "dpkg-divert --package x --no-rename --divert /lib/a.usr-is-merged --add /lib/a\n",
        "dpkg-divert --package x --rename --remove /bin/a\n",
    ],
)
def test_a_script_that_needs_nothing_is_passed_in_silence(postinst):
    assert said(postinst) == ()


@pytest.mark.parametrize(
    ("postinst", "sentence"),
    [
        (
            "adduser --system --group foo\n",
            "libfoo: its postinst would run `adduser --system --group foo`, which is not done",
        ),
        (
            "setcap cap_net_raw+ep /usr/bin/ping || chmod u+s /usr/bin/ping\n",
            (
                "libfoo: its postinst would run `setcap cap_net_raw+ep /usr/bin/ping` and run "
                "`chmod u+s /usr/bin/ping`, which are not done"
            ),
        ),
        (
            "mkdir -p /var/x; touch /var/x/a; touch /var/x/b; touch /var/x/c; useradd x\n",
            (
                "libfoo: its postinst would run `useradd x`, run `mkdir -p /var/x`, run `touch /var/x/a` and "
                "2 more, which are not done"
            ),
        ),
        ("echo a > /etc/x\n", "libfoo: its postinst would write /etc/x, which is not done"),
        ("$TOOL\n", "libfoo: its postinst would run `…`, which is not done"),
        (
            'if [ "$1" = upgrade ]; then addgroup x; fi\n',
            "libfoo: its postinst mentions addgroup, though not for a fresh installation",
        ),
        (
            "update-alternatives --install $(compute)\n",
            (
                "libfoo: its postinst would run `compute` and run `update-alternatives --install …`, "
                "which are not done"
            ),
        ),
        (
            (
                "# Automatically added by dh_installsysusers/13\nsystemd-sysusers x.conf\n"
                "# End automatically added section\n"
            ),
            "libfoo: its postinst would run `systemd-sysusers x.conf`, which is not done",
        ),
        (
            "dpkg-statoverride --update --add root x 2755 /usr/bin/x\n",
            (
                "libfoo: its postinst would run `dpkg-statoverride --update --add root x 2755 /usr/bin/x`, "
                "which is not done"
            ),
        ),
        (
            "dpkg-divert --package x --rename --add /bin/a\n",
            (
                "libfoo: its postinst would run `dpkg-divert --package x --rename --add /bin/a`, "
                "which is not done"
            ),
        ),
        (
            "sed -i s/a/b/ /etc/x\n",
            "libfoo: its postinst would run `sed -i s/a/b/ /etc/x`, which is not done",
        ),
        (
            "ucf --three-way /usr/share/foo/foo.conf /etc/foo.conf\n",
            (
                "libfoo: its postinst would run `ucf --three-way /usr/share/foo/foo.conf /etc/foo.conf`, "
                "which is not done"
            ),
        ),
        (
            "python3 -c install\npython3.11 -E /usr/share/x/py_compile.py.sh\npython3 -m venv\n",
            (
                "libfoo: its postinst would run `python3 -c install`, run "
                "`python3.11 -E /usr/share/x/py_compile.py.sh` and run `python3 -m venv`, which are not done"
            ),
        ),
        (
            "if true; then\n",
            "libfoo: its postinst cannot be read (it ends in the middle of a command), and is not run",
        ),
    ],
)
def test_what_is_not_done_is_said(postinst, sentence):
    assert said(postinst) == (sentence,)


def test_a_word_in_a_comment_is_not_a_command():
    assert said("# adduser would be wrong here\n: # and useradd\n") == ()


def test_a_script_in_another_language_is_named():
    control = {"preinst": b"#!/usr/bin/perl -w\nsystem('adduser');\n"}
    assert review(control, "libfoo") == (
        "libfoo: its preinst is a program for /usr/bin/perl -w, which is not run",
    )


@pytest.mark.parametrize("pattern", sorted(COVERED))
def test_every_covered_package_has_a_reason_and_is_passed(pattern):
    assert COVERED[pattern]
    assert said("adduser x\n", name=pattern.replace("*", "13")) == ()


def test_other_packages_are_not_taken_for_covered_ones():
    for name in ("dashing", "python3-numpy", "libc6-dev", "openssl-x", "perl-modules-5.40"):
        assert said("adduser x\n", name=name)
