# SPDX-License-Identifier: Apache-2.0
"""The twin's firmware against a real one: what it promises to measure is what OVMF and the stub measured."""

import pytest
from tests.boot.machine import COMMAND_LINE, Booted, Machine
from tests.boot.machine import boot as boot_machine
from tests.boot.test_measured_boot import IMAGE_PATH, store_with
from tests.boot.variables import boot_with_options, run_driver_first, run_preparation_first, secure_boot
from tests.images import BOOT_DRIVER, RETURN_SUCCESS, make_pe

from strongroom.formats.efi import parse_signature_database
from strongroom.twin.firmware import Firmware, SecureBoot, boot

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("boot")]
PROMISED = (2, 4, 7, 11, 12, 13)


def replayed(image: bytes, **firmware) -> dict[int, bytes]:
    pcrs = boot(image, firmware=Firmware(**firmware), instance_id="i-0").pcrs
    return {int(index): digest for index, digest in pcrs.items() if index in PROMISED}


def measured(booted: Booted) -> dict[int, bytes]:
    return {index: booted.pcrs[index] for index in PROMISED}


def test_a_clean_boot(image):
    assert replayed(image) == measured(boot_machine(Machine(image)))


def test_a_secure_boot(signed, signer, keys):
    authority = next(e.signature_data for e in parse_signature_database(keys.db) if e.content == signer.der)
    variables = SecureBoot(pk=keys.pk, kek=keys.kek, db=keys.db, dbx=keys.dbx, authority=authority)
    store = store_with(secure_boot(pk=keys.pk, kek=keys.kek, db=keys.db, dbx=keys.dbx))
    booted = boot_machine(Machine(signed, store=store))
    assert replayed(signed, secure_boot=variables) == measured(booted)


@pytest.mark.attack("B1")
def test_a_command_line_from_a_boot_option(image):
    added = COMMAND_LINE.decode() + " init=/bin/sh"
    booted = boot_machine(Machine(image, store=store_with(boot_with_options(IMAGE_PATH, added))))
    assert replayed(image, load_options=added) == measured(booted)


@pytest.mark.attack("B20")
def test_a_driver_that_runs_first(image):
    driver = make_pe([(".text", RETURN_SUCCESS)], subsystem=BOOT_DRIVER)
    store = store_with(run_driver_first("\\EFI\\driver.efi"))
    booted = boot_machine(Machine(image, files={"EFI/driver.efi": driver}, store=store))
    assert replayed(image, drivers=(driver,)) == measured(booted)


@pytest.mark.attack("B20")
def test_a_program_that_runs_first(image):
    program = make_pe([(".text", RETURN_SUCCESS)])
    store = store_with(run_preparation_first("\\EFI\\prepare.efi"))
    booted = boot_machine(Machine(image, files={"EFI/prepare.efi": program}, store=store))
    assert replayed(image, programs_before=(program,)) == measured(booted)
