"""Runs one command where it has no network and can write only where it was told; a program of its own.

It is run with `python -I -S` and imports nothing of envfreeze: what it does to itself cannot be undone, so it
has to be another process than the one that asks. Its only argument is JSON:

    {"command": […], "folder": "/…", "writable": ["/…", …]}

A user namespace gives the right to make the others (user_namespaces(7)); a new network namespace has no way
out, not even a loopback that is up (network_namespaces(7)); all mounts become read-only but `writable`
(mount_setattr(2), Linux 5.12); `/run`, where daemons have their sockets, is empty. The command is the
first of a process namespace, so that nothing that it starts outlives it (pid_namespaces(7)). Its user is 1000
and its host `build` on every machine, and with that user it loses the right to undo any of this.

Exit status: the command's own. 97 after `envfreeze-jail: …` on stderr: the kernel refused, nothing was run.
"""

import ctypes
import json
import os
import signal
import struct
import sys

REFUSED = 97
MARK = "envfreeze-jail: "

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x2, 0x4, 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR = 442  # on every architecture
_AT_FDCWD, _AT_RECURSIVE, _ATTR_RDONLY = -100, 0x8000, 0x1
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_SOMEBODY = 1000
_HIDDEN = ("/run", "/dev/shm")  # noqa: S108 - made empty, not written

_libc = ctypes.CDLL(None, use_errno=True)


def main(text: str) -> int:
    """Run the command of a specification; its exit status."""
    wish = json.loads(text)
    try:
        _confine([os.fsencode(path) for path in wish["writable"]])
    except OSError as error:
        sys.stderr.write(f"{MARK}{error.filename or 'isolation'}: {error.strerror}\n")
        return REFUSED
    child = os.fork()
    if child == 0:
        _become(wish["command"], wish["folder"])
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _confine(writable: list[bytes]) -> None:
    user, group = os.getuid(), os.getgid()
    flags = _NEWUSER | _NEWNS | _NEWNET | _NEWPID | _NEWIPC | _NEWUTS
    _check(_libc.unshare(flags), "new namespaces")
    for name, content in (
        ("setgroups", "deny"),
        ("uid_map", f"{_SOMEBODY} {user} 1"),
        ("gid_map", f"{_SOMEBODY} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 - nothing imported
            file.write(content)
    _check(_libc.sethostname(b"build", 5), "the host's name")
    _mount(None, b"/", None, _MS_REC | _MS_PRIVATE)
    for path in writable:
        _mount(path, path, None, _MS_BIND | _MS_REC)
    _set_read_only(b"/", True)
    for path in writable:
        _set_read_only(path, False)
    for hidden in _HIDDEN:
        if os.path.isdir(hidden) and not os.path.islink(hidden):  # noqa: PTH112, PTH114
            _mount(b"none", os.fsencode(hidden), b"tmpfs", _MS_NOSUID | _MS_NODEV)


def _become(command: list[str], folder: str) -> None:
    """Be the command; a process that cannot be ends with 97."""
    try:
        # The process that waits may be killed; this one must not go on alone.
        _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
        _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
        os.chdir(folder)  # the mount, not what it covers
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{MARK}{error.filename or command[0]}: {error.strerror}\n")
        sys.stderr.flush()
    os._exit(REFUSED)


def _mount(source: bytes | None, target: bytes, kind: bytes | None, flags: int) -> None:
    _check(_libc.mount(source, target, kind, ctypes.c_ulong(flags), None), f"mount {os.fsdecode(target)}")


def _set_read_only(path: bytes, wanted: bool) -> None:
    # struct mount_attr: attr_set, attr_clr, propagation, userns_fd
    attributes = struct.pack("=QQQQ", _ATTR_RDONLY if wanted else 0, 0 if wanted else _ATTR_RDONLY, 0, 0)
    done = _libc.syscall(
        _MOUNT_SETATTR, _AT_FDCWD, path, _AT_RECURSIVE, attributes, ctypes.c_size_t(len(attributes))
    )
    _check(done, f"read-only {os.fsdecode(path)}" if wanted else f"writable {os.fsdecode(path)}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
