# SPDX-License-Identifier: Apache-2.0
"""tpm2-tools in a guest on the emulated NitroTPM, behind tpm-tis and Linux's resource manager, over a reboot."""

import pytest
from tests.boot.machine import COMMAND_LINE, Machine, run_until_off
from tests.boot.tooled_guest import SECRET, STEPS, RecordedNitroTpm, printed_pcrs, steps_run, tooled_initrd

from strongroom.formats.uki import assemble_uki

pytestmark = pytest.mark.slow
DEBUG_PCR = 16
AFTER_REBOOT = "tpm2_readpublic -c 0x81000001"


@pytest.fixture(scope="module")
def guest(parts):
    """The TPM and the serial line of a guest that has run its tools, rebooted, and switched itself off."""
    sections = [
        (".osrel", b'ID=test\nVERSION_ID="1"\n'),
        (".cmdline", COMMAND_LINE),
        (".uname", b"6.1.0-test"),
        (".linux", parts.kernel.read_bytes()),
        (".initrd", tooled_initrd(parts.busybox.read_bytes())),
    ]
    tpm = RecordedNitroTpm()
    image = assemble_uki(parts.stub.read_bytes(), sections)
    return tpm, run_until_off(Machine(image, tpm=tpm, device="tpm-tis", reboots=True))


def test_every_tool_succeeds_through_the_resource_manager(guest):
    tpm, serial = guest
    assert steps_run(serial) == dict.fromkeys([*STEPS, AFTER_REBOOT], 0), serial[-5000:]
    sent = tpm.succeeded()
    assert sent["ContextSave"] >= 100
    assert sent["ContextLoad"] >= 100


def test_a_reboot_resets_pcrs_and_keeps_what_is_persistent(guest):
    tpm, serial = guest
    first, second = printed_pcrs(serial, "BOOTED")
    (left,) = printed_pcrs(serial, "LEFT")
    assert first == second
    assert first[DEBUG_PCR] == "00" * 48
    assert {index for index in first if first[index] != left[index]} == {DEBUG_PCR}
    assert f"KEPT {SECRET}" in serial
    assert tpm.succeeded()["Startup"] == 2
