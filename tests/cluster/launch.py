"""Becomes another program, after tying its life and its files to the harness.

Run as a script: ``python -I -S launch.py PARENT_PID [--bind SOURCE TARGET]... -- COMMAND...``.

It is a program of its own, and not a ``preexec_fn``, because Python between fork and exec in a
process that has threads can deadlock. It ends by ``exec``: COMMAND keeps this process id, and no
supervisor stays behind that could itself be killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_CLONE_NEWNS = 0x00020000
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18
_EXIT_CANNOT_LAUNCH = 127


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends.

    Nothing that the parent does on its way out can stand in for this: a parent killed with -9
    runs no handler at all. The kernel clears the request at fork but keeps it across exec.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:  # It ended before the request was made: no signal will come.
        sys.exit(_EXIT_CANNOT_LAUNCH)


def bind(mounts: list[tuple[str, str]]) -> None:
    """Show each source at its target, to this process and what it becomes, and to no other."""
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: object) -> None:
        if getattr(libc, name)(*arguments) != 0:
            code = ctypes.get_errno()
            raise OSError(code, f"{name}{arguments}: {os.strerror(code)}")

    call("unshare", _CLONE_NEWNS)
    # Without this, mounts made here would propagate back to the rest of the machine.
    call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    for source, target in mounts:
        os.makedirs(target, exist_ok=True)  # noqa: PTH103 - pathlib would double the start time.
        call("mount", source.encode(), target.encode(), None, _MS_BIND, None)


def main(arguments: list[str]) -> None:
    """Tie, bind, become."""
    parent, *rest = arguments
    split = rest.index("--")
    options, command = rest[:split], rest[split + 1 :]
    mounts = [(options[i + 1], options[i + 2]) for i in range(0, len(options), 3)]
    die_with_parent(int(parent))
    try:
        if mounts:
            bind(mounts)
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted.
    except OSError as error:
        print(f"cannot start {command[0]}: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(_EXIT_CANNOT_LAUNCH)


if __name__ == "__main__":
    main(sys.argv[1:])
