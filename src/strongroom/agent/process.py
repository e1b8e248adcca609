# SPDX-License-Identifier: Apache-2.0
"""What the agent's process gives up before it holds a secret (ATTACKS K17)."""

from __future__ import annotations

import ctypes
import os
import resource

from strongroom.errors import LocalFault

_PR_SET_DUMPABLE = 4
"""prctl(2). Not dumpable: no core file, and /proc/PID belongs to root, so no other user's process can attach."""


def forbid_core_dumps() -> None:
    """Make this process leave no core dump and refuse debuggers. Called first by a program that opens secrets.

    Raises LocalFault where the kernel refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise LocalFault("process.dumpable", f"expected to be able to switch core dumps off: {reason}")
