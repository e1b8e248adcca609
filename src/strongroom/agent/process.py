# SPDX-License-Identifier: Apache-2.0
"""What the agent's process gives up before it holds a secret (ATTACKS K17)."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import MutableMapping
from typing import Final

from strongroom.errors import LocalFault

_PR_SET_DUMPABLE = 4
"""prctl(2). Not dumpable: no core file, and /proc/PID belongs to root, so no other user's process can attach."""

_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4
"""mlockall(2). ONFAULT: what is never touched, such as most of a library, takes no memory."""
_KEPT: Final = frozenset({"NOTIFY_SOCKET", "PATH", "TERM"})
"""systemd's own; where programs are; what a terminal can do."""
_OF_THE_LOADER: Final = ("LD_", "GLIBC_TUNABLES", "GCONV_PATH")
"""ld.so(8), iconv(1): these put foreign code into a program before its first line runs."""


def forbid_core_dumps() -> None:
    """Make this process leave no core dump and refuse debuggers. Called first by a program that opens secrets.

    Raises LocalFault where the kernel refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise LocalFault("process.dumpable", f"expected to be able to switch core dumps off: {reason}")


def lock_memory() -> bool:
    """Keep this process out of swap and hibernation images, and say whether the kernel agreed.

    An image has no swap (the audit's rule), so this is a second line of defence: a service may, others need not. It is
    not tried below a limit, because an allocation above the limit would fail in the middle of the work.
    """
    if resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY:
        return False
    mlockall = ctypes.CDLL(None, use_errno=True).mlockall
    return bool(mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT) == 0)


def clean_environment(environment: MutableMapping[str, str]) -> None:
    """Forget every variable but a few harmless ones: nothing that the agent does is decided there (ATTACKS B17, K12).

    Raises LocalFault for a variable of the dynamic loader: then foreign code may be in this process already.
    """
    for name in list(environment):
        if name.startswith(_OF_THE_LOADER):
            raise LocalFault(
                "process.loader-variable",
                f"expected an environment without variables of the dynamic loader, found {name}",
                remedy="It runs foreign code inside the agent. Find out who sets it; systemd: UnsetEnvironment=.",
            )
        if name not in _KEPT:
            del environment[name]
