# SPDX-License-Identifier: Apache-2.0
"""What `image boot` says: what begins, how it ended, and which PCRs are as predicted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console

from strongroom.cli.boot_subject import BootSubject
from strongroom.cli.output import console, emit, error_console, print_line
from strongroom.cli.pcr_output import pcr_members
from strongroom.formats.partition import Profile
from strongroom.formats.pcrs import GATES, PcrDigests, PcrIndex
from strongroom.twin.instances.boot_client import RemoteBoot
from strongroom.twin.qemu.hardware import Forward
from strongroom.twin.qemu.machine import Cause, Ending

_ENDED = {
    Cause.POWERED_OFF: "The machine switched itself off",
    Cause.RESET: "The machine reset itself, which ends it here",
    Cause.STOPPED: "The machine was switched off",
    Cause.TIMED_OUT: "The machine was switched off, as --timeout wants it,",
    Cause.FAILED: "QEMU failed",
}
_PRODUCTION = (
    "This is a production image: its agent trusts AWS alone, so it refuses the twin's documents of identity, and its "
    "TLS, and delivers no secret here. It boots all the same, and what it measures is what it will measure on AWS. For "
    "a rehearsal build the same specification with the profile rehearsal."
)
_EMULATED = "Software emulates its processor (KVM does not run it here): some ten times slower than on AWS."


@dataclass(frozen=True, slots=True)
class BootAccount:
    """Measured against predicted."""

    measured: PcrDigests
    expected: PcrDigests | None

    @property
    def differing(self) -> tuple[PcrIndex, ...]:
        """The PCRs of the gate set that are another than predicted; without a prediction none are."""
        if self.expected is None:
            return ()
        return tuple(index for index in GATES if self.measured[index] != self.expected[index])


def explain_boot(subject: BootSubject, measured: PcrDigests) -> BootAccount:
    """Return what was measured beside what was predicted."""
    return BootAccount(measured, subject.expected.pcrs if subject.expected else None)


def print_start(boot: RemoteBoot, subject: BootSubject, forwards: Sequence[Forward], *, as_json: bool) -> None:
    """Say what boots, before its console; on stderr, where JSON goes to stdout."""
    out = error_console() if as_json else console()
    if subject.variant == Profile.PRODUCTION.value:
        out.print(_PRODUCTION, markup=False)
    if boot.is_emulated:
        out.print(_EMULATED, markup=False)
    for forward, port in zip(forwards, boot.forwarded, strict=True):
        out.print(f"Port {forward.guest} of the guest is 127.0.0.1:{port}.", markup=False)
    out.print(f"{boot.instance_id} boots. Its console:", markup=False)


def emit_boot(
    boot: RemoteBoot, subject: BootSubject, account: BootAccount, ending: Ending | None, *, as_json: bool
) -> None:
    """Print how it ended, and what it measured."""
    result = {
        "instance_id": boot.instance_id,
        "emulated": boot.is_emulated,
        "variant": subject.variant or None,
        "ended": None if ending is None else ending.cause.value,
        "seconds": None if ending is None else round(ending.seconds, 1),
        "message": "" if ending is None else ending.message,
        "measured": pcr_members(account.measured),
        "predicted": None if account.expected is None else pcr_members(account.expected),
        "prediction": subject.source,
        "differing": list(account.differing),
    }
    emit(result, as_json=as_json, human=lambda out: _print(out, subject, account, ending))


def _print(out: Console, subject: BootSubject, account: BootAccount, ending: Ending | None) -> None:
    if ending is not None:
        out.print(f"{_ENDED[ending.cause]} after {ending.seconds:.1f} s.", markup=False)
        if ending.message:
            print_line(out, ending.message)
    for index in GATES:
        measured = account.measured[index]
        out.print(f"PCR{index:<3} {measured.hex()}", markup=False)
        if account.expected is not None and measured != account.expected[index]:
            out.print(f"       predicted {account.expected[index].hex()}", markup=False)
    if account.expected is None:
        print_line(out, f"Nothing was predicted: {subject.source}.")
    elif account.differing:
        names = ", ".join(f"PCR {index}" for index in account.differing)
        print_line(out, f"Another boot than predicted ({subject.source}): {names}.")
    else:
        print_line(out, f"As predicted ({subject.source}).")
