"""Packages whose maintainer scripts are known, with the reason why nothing of them is missing. Data.

A reason names the module of `envfreeze.layers.system` that does the script's work, or says why a container
image does not need it. `*` in a name stands for any characters.
"""

from __future__ import annotations

import fnmatch

COVERED: dict[str, str] = {
    "apt": "accounts: base-passwd's own list has _apt; timers need systemd, which is not there",
    "base-files": "basefiles and usrmerge do its postinst; its diversions protect an upgrade",
    "base-passwd": "accounts writes passwd and group from its master files",
    "bash": "alternatives has its manual page; /bin/sh is dash's",
    "ca-certificates": "certificates writes its configuration, the bundle and the links",
    "coreutils": "its script mends an upgrade of the time before merged-usr",
    "dash": "ships /bin/sh itself; its scripts undo diversions of earlier versions",
    "debconf": "starts its database, which debconf makes anew when it is first asked",
    "debianutils": "shells writes /etc/shells; alternatives has which",
    "dpkg": "status writes arch-native; the timer needs systemd, which is not there",
    "gcc-*-base": "has no scripts",
    "gzip": "its scripts mend diversions of zutils, which a fresh installation does not have",
    "init-system-helpers": "its scripts mend an upgrade",
    "libc-bin": "basefiles writes nsswitch.conf; ldcache writes ld.so.cache",
    "libc6": "its scripts check the kernel and restart services of an upgrade",
    "libpam-modules": "basefiles writes opasswd and environment",
    "libpam0g": "its scripts restart services of an upgrade",
    "libpython3.*-minimal": "writes nothing",
    "login": "basefiles writes faillog where the script names it; accounts writes subuid and subgid",
    "login.defs": "its scripts adopt a file of an upgrade",
    "netbase": "basefiles writes hosts and networks",
    "openssl": "ships /usr/lib/ssl itself",
    "passwd": "accounts writes shadow and gshadow",
    "perl": "its script removes an alternative of earlier versions",
    "perl-base": "has no scripts that change files",
    "python3": "python writes debian_config; byte code is not compiled",
    "python3-minimal": "byte code is not compiled",
    "python3.*": "python makes the folders in /usr/local; byte code is not compiled",
    "readline-common": "basefiles writes inputrc",
    "tzdata": "timezone writes localtime",
}
"""Name pattern of a package -> why its scripts need not run."""


def reason(package: str) -> str | None:
    """Say why a package's scripts need not run, None where that is not known."""
    return next((why for name, why in COVERED.items() if fnmatch.fnmatchcase(package, name)), None)
