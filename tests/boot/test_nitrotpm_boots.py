# SPDX-License-Identifier: Apache-2.0
"""The emulated NitroTPM under other people's firmware and kernel: what swtpm ends up with, it ends up with.

PCR 10 is Linux's own: the digest over PCR 0 to 9 of the SHA-256 bank where there is one (IMA's boot aggregate).
"""

import pytest
from tests.boot.machine import FIRMWARE, DebianTpm, EmulatedNitroTpm, Machine, boot
from tests.boot.variables import secure_boot, write_variables

pytestmark = pytest.mark.slow

IMA_PCR = 10
ALL_BANKS = ("sha1", "sha256", "sha384", "sha512")
INTERFACES = ("tpm-crb", "tpm-tis")


def pair(image: bytes, **differences):
    ours = boot(Machine(image, tpm=EmulatedNitroTpm(ALL_BANKS), **differences))
    theirs = boot(Machine(image, tpm=DebianTpm(ALL_BANKS), **differences))
    return ours, theirs


@pytest.mark.parametrize("interface", INTERFACES)
def test_all_pcrs_of_all_banks_and_the_event_log_are_those_of_swtpm(image, interface):
    ours, theirs = pair(image, device=interface)
    assert sum(len(pcrs) for pcrs in ours.banks.values()) == 96
    assert ours.banks == theirs.banks
    assert ours.event_log == theirs.event_log


def test_they_are_under_secure_boot_too(signed, keys):
    store = write_variables(
        (FIRMWARE / "OVMF_VARS_4M.fd").read_bytes(), secure_boot(pk=keys.pk, kek=keys.kek, db=keys.db, dbx=keys.dbx)
    )
    ours, theirs = pair(signed, store=store)
    assert ours.banks == theirs.banks
    assert ours.event_log == theirs.event_log


def test_a_tpm_with_one_bank_is_measured_into_in_that_bank(image):
    one, all_ = boot(Machine(image, tpm=EmulatedNitroTpm())), boot(Machine(image, tpm=EmulatedNitroTpm(ALL_BANKS)))
    assert set(one.banks) == {"sha384"}
    assert {index for index in one.pcrs if one.pcrs[index] != all_.pcrs[index]} == {IMA_PCR}
