# SPDX-License-Identifier: Apache-2.0
"""A NitroTPM as it is once an instance has booted: every event of the boot was extended into it."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.frame import CODE_AT, WITH_EMPTY_PASSWORD, encode_command
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import listed, u16
from strongroom.twin.firmware import GENUINE_PCR0, Boot
from strongroom.twin.nitrotpm.commands.startup import STARTUP_CLEAR
from strongroom.twin.nitrotpm.nsm import SecurityModule
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.tcg_event import Event


def measured_tpm(boot: Boot, security_module: SecurityModule) -> NitroTpm:
    """Return a TPM that was started, with the PCRs of a boot in its SHA-384 bank.

    The other banks know nothing of it: an event has one digest, that of SHA-384.
    """
    tpm = NitroTpm(security_module=security_module)
    _run(tpm, STARTUP_CLEAR)
    # Which measurements lead to the constant is not known, so it is put there.
    tpm.preset_pcr(Alg.SHA384, 0, GENUINE_PCR0)
    for command in _extends(boot.events):
        _run(tpm, command)
    return tpm


def _extends(events: Iterable[Event]) -> Iterable[bytes]:
    for event in events:
        digests = listed([u16(Alg.SHA384) + event.digest])
        yield encode_command(Cc.PCR_EXTEND, (event.pcr,), (WITH_EMPTY_PASSWORD,), digests)


def _run(tpm: NitroTpm, command: bytes) -> None:
    rc = int.from_bytes(tpm.execute(command)[CODE_AT])
    if rc != Rc.SUCCESS:
        raise RuntimeError(f"the twin's own TPM refused to measure a boot: {rc:#x}")
