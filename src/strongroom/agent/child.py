# SPDX-License-Identifier: Apache-2.0
"""Run the app as a child: it gets our signals, and we end as it does, after the secrets are put away.

Signals are held while there are secrets to put away, and passed on to the app instead of ending us; SIGKILL cannot be.
What a terminal sends, for Ctrl-C, goes to every process in its foreground and has reached the app already, so it is not
passed on a second time: siginfo tells the two apart.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from strongroom.errors import LocalFault

FOLDER_VARIABLE = "STRONGROOM_SECRETS"
"""Tells the app in which folder its secrets lie, each as BUNDLE/ENTRY. The variable holds a path, never a secret."""
SIGNAL_BASE = 128
"""What shells add to the number of the signal that ended a program."""
PASSED_ON = frozenset(
    (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2),
)
_HELD = PASSED_ON | {signal.SIGCHLD}
_SI_KERNEL = 0x80
"""`si_code` of a signal that the kernel sent, as its terminals do (sigaction(2), "SI_KERNEL")."""
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)
"""Ignored signals stay ignored in a child, where nobody expects it."""


@contextlib.contextmanager
def signals_held() -> Iterator[None]:
    """Keep signals from ending this process within the block; what is still held at its end is dropped.

    Held for the calling thread and those that it starts within. It has to be the only one: another thread would take a
    signal that is meant for the process, and end it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        while signal.sigtimedwait(_HELD, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def run_child(program: Path, words: Sequence[str], *, environment: Mapping[str, str]) -> int:
    """Run `program`, called as `words`, to its end within `signals_held`, and return its exit code as shells do.

    A signal that was held before it started ends the run without it. Raises LocalFault for what cannot be run.
    """
    held = signal.sigtimedwait(PASSED_ON, 0)
    if held:
        return SIGNAL_BASE + held.si_signo
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored by whoever started us, a child's end would go unnoticed
    try:
        child = os.posix_spawn(program, list(words), environment, setsigmask=(), setsigdef=_IGNORED_BY_PYTHON)
    except OSError as error:
        raise LocalFault("exec.not-started", f"cannot run {program}: {error.strerror}") from error
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else SIGNAL_BASE - code
        _pass_on(signal.sigwaitinfo(_HELD), child)


def _pass_on(sent: signal.struct_siginfo, child: int) -> None:
    if sent.si_signo in PASSED_ON and sent.si_code != _SI_KERNEL:
        os.kill(child, sent.si_signo)
