"""Commands of maintainer scripts that change nothing an image needs. Data, with the reason beside each."""

from __future__ import annotations

QUERIES = frozenset(
    [
        ".",
        ":",
        "[",
        "[[",
        "awk",
        "basename",
        "break",
        "cat",
        "cd",
        "cmp",
        "command",
        "comm",
        "continue",
        "cut",
        "date",
        "dirname",
        "dpkg-architecture",
        "dpkg-query",
        "dpkg-realpath",
        "echo",
        "egrep",
        "env",
        "expr",
        "false",
        "fgrep",
        "file",
        "find",
        "getent",
        "getopts",
        "grep",
        "gunzip",
        "hash",
        "head",
        "hostname",
        "id",
        "ischroot",
        "join",
        "ldd",
        "ls",
        "md5sum",
        "mktemp",
        "mountpoint",
        "nl",
        "od",
        "paste",
        "pidof",
        "printenv",
        "printf",
        "ps",
        "pwd",
        "readlink",
        "realpath",
        "rev",
        "runlevel",
        "sed",
        "seq",
        "sha256sum",
        "sleep",
        "sort",
        "stat",
        "stty",
        "sync",
        "tail",
        "test",
        "tput",
        "tr",
        "trap",
        "true",
        "tty",
        "type",
        "ulimit",
        "umask",
        "uname",
        "uniq",
        "wait",
        "wc",
        "which",
        "whoami",
        "xargs",
        "zcat",
    ]
)
"""They look, compute and print; where they can write (`sed -i`, `find -delete`), `review` looks closer."""

DEBCONF = frozenset(
    {"db_version", "db_capb", "db_get", "db_set", "db_input", "db_go", "db_stop", "db_fset"}
) | {
    "db_subst",
    "db_reset",
    "db_register",
    "db_unregister",
    "db_purge",
    "db_title",
    "db_metaget",
    "db_beginblock",
    "db_endblock",
    "db_settitle",
    "db_fget",
    "db_progress",
    "db_x_loadtemplatefile",
}
"""Questions to a person; the packages' defaults hold."""

SERVICES = frozenset(
    [
        "chkconfig",
        "deb-systemd-helper",
        "deb-systemd-invoke",
        "initctl",
        "invoke-rc.d",
        "kill",
        "killall",
        "service",
        "start-stop-daemon",
        "systemctl",
        "systemd-tmpfiles",
        "telinit",
        "udevadm",
        "update-rc.d",
    ]
)
"""They speak to an init system, and a container has none."""

CACHES = frozenset({"ldconfig", "py3clean", "py3compile", "pyclean", "pycompile", "update-menus"}) | {
    "gtk-update-icon-cache",
    "update-binfmts",
    "update-icon-caches",
    "update-python-modules",
}
"""They make a cache that is not needed (ldconfig's: a rule does), or byte code, which is off by design."""

PYTHON_FLAGS = frozenset({"-B", "-E", "-I", "-O", "-OO", "-S", "-s"})
"""Before the program that Python is to run; `review` looks at which that is."""

REMOVALS = frozenset({"rm", "rmdir"})
"""They remove what an earlier version left; a fresh installation has none of it."""

DPKG = frozenset({"dpkg", "dpkg-maintscript-helper", "dpkg-trigger"})
"""The helper acts on upgrades only, a trigger's own script is looked at where it is, dpkg answers queries."""

SECTIONS = {
    "dh_installdeb": "dpkg-maintscript-helper acts on upgrades only",
    "dh_installinit": "a container has no init system",
    "dh_installmenu": "menus of window managers",
    "dh_installsystemd": "a container has no init system",
    "dh_installsystemduser": "a container has no init system",
    "dh_installtmpfiles": "made by systemd-tmpfiles at boot, where there is a boot",
    "dh_installudev": "a container has no udev",
    "dh_makeshlibs": "the loader's cache is made from all packages at once",
    "dh_numpy3": "byte code is off by design",
    "dh_python3": "byte code is off by design",
    "dh_pypy": "byte code is off by design",
    "dh_systemd_enable": "a container has no init system",
    "dh_systemd_start": "a container has no init system",
}
"""debhelper's tool -> why the section that it adds to a script is of no consequence."""

GRAVE = frozenset(
    [
        "addgroup",
        "adduser",
        "delgroup",
        "deluser",
        "dpkg-divert",
        "dpkg-statoverride",
        "groupadd",
        "groupmod",
        "setcap",
        "systemd-sysusers",
        "useradd",
        "usermod",
    ]
)
"""Never passed over in silence, wherever in a script they stand."""
