"""Start one server so that it dies with the process that asked for it, also when that one is killed with SIGKILL.

Run as a script by path (`python -I -S spawn.py ...`), on the standard library alone, so that it costs little: it drops
to another user when told to, asks the kernel for a signal at its parent's death (Linux `prctl(PR_SET_PDEATHSIG)`, see
prctl(2)), and becomes the server. Doing this here, and not in `preexec_fn`, keeps Python code out of the gap between
fork and exec, which is not safe in a process with threads.

Other systems have no such signal: there the server outlives a parent that is killed, and `make dev-down` stops it.
"""

from __future__ import annotations

import ctypes
import os
import sys

NOBODY_ELSE = "-"

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _drop_to(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)  # for root these set the saved ids, too: there is no way back
    os.setuid(uid)


def main(arguments: list[str]) -> None:
    """Become the command; ends with status 1 when the parent is gone already.

    `arguments`: the pid that must still be our parent, the signal we get when it dies, the user and the group to drop
    to (both NOBODY_ELSE to stay who we are), the command. No parser of options: it costs more than all the rest.
    """
    parent, death_signal, uid, gid, *command = arguments
    if uid != NOBODY_ELSE:
        _drop_to(int(uid), int(gid))
    if sys.platform == "linux":
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)
        # After the change of user, which would clear it.
        _prctl(_PR_SET_PDEATHSIG, int(death_signal))
    if os.getppid() != int(parent):
        raise SystemExit(1)  # it died before we asked: nobody is left to tell us
    os.execv(command[0], command)  # noqa: S606 - becoming the server is what this is for


if __name__ == "__main__":
    main(sys.argv[1:])
