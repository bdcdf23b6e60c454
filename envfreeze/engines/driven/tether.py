"""Run a command that is ended when the process that started this one ends, however that ends.

`python -I -S tether.py PARENT SIGNAL APART COMMAND…`: imports little, since it stands before every program
that an engine runs. A killed envfreeze would otherwise leave a build going on for an hour, into a folder
that nobody reads.

Where APART is 1 (only root can), the command gets name spaces of processes and of mounts: whatever it
started ends with it, and what it mounted is gone.
"""

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS, _CLONE_NEWPID = 0x00020000, 0x20000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 0x2, 0x4, 0x8
_KILL = 9
_NOT_FOUND = 127


def main(parent: int, number: int, apart: bool, command: list[str]) -> None:
    """Become the command, or wait for it."""
    if sys.platform != "linux":
        _become(command)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, _KILL if apart else number, 0, 0, 0)
    if os.getppid() != parent:  # it ended before it could be watched
        sys.exit(1)
    if not apart:
        _become(command)
    _check(libc.unshare(_CLONE_NEWNS | _CLONE_NEWPID), "name spaces")
    child = os.fork()
    if child == 0:
        libc.prctl(_PR_SET_PDEATHSIG, _KILL, 0, 0, 0)
        _check(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "private mounts")
        flags = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
        _check(libc.mount(b"proc", b"/proc", b"proc", flags, None), "/proc")
        _become(command)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    sys.exit(code if code >= 0 else 128 - code)


def _become(command: list[str]) -> None:
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()
        os._exit(_NOT_FOUND)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1", sys.argv[4:])
