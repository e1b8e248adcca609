# SPDX-License-Identifier: Apache-2.0
"""An image that we signed, and keys that we wrote, under OVMF with Secure Boot on: it boots, and as predicted."""

import pytest
from tests.boot.machine import FIRMWARE, Machine, boot
from tests.boot.variables import SECURE_BOOT_ENABLE, Variable, write_variables

from strongroom.crypto.image_signer import parse_image_signer
from strongroom.formats.uefi_data import read_uefi_data
from strongroom.ids import CertificateDer
from strongroom.imaging.secure_boot import UEFI_DATA_NAME, encode_key_files, expect_bootable, sign_image
from strongroom.measure.predict import measure_image

pytestmark = pytest.mark.slow

PREDICTED = (2, 4, 7, 11, 12, 13)


def test_firmware_boots_it_and_measures_what_was_predicted(image, signer, keys):
    ours = sign_image(image, parse_image_signer(signer.key.read_bytes(), CertificateDer(signer.der)))
    expect_bootable(ours, keys)
    enrolled = read_uefi_data(encode_key_files(keys)[UEFI_DATA_NAME])
    variables = [Variable(each.name, each.data, each.vendor, each.attributes) for each in enrolled]
    switch = Variable("SecureBootEnable", b"\x01", SECURE_BOOT_ENABLE, 3)
    store = write_variables((FIRMWARE / "OVMF_VARS_4M.fd").read_bytes(), [*variables, switch])
    booted = boot(Machine(ours, store=store))
    predicted = measure_image(ours, secure_boot=keys)
    assert {index: booted.pcrs[index] for index in PREDICTED} == {i: predicted.pcrs[i] for i in PREDICTED}
    assert predicted.pcrs[7] != measure_image(ours, secure_boot=None).pcrs[7]
