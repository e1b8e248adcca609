# SPDX-License-Identifier: Apache-2.0
"""An arm64 image of Debian's kernel and stub, predicted here, measured by Debian's AAVMF and swtpm."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from tests.boot.machine import BOOT_SECONDS, INIT, PCR_LINE, DebianTpm
from tests.processes import program

from strongroom.formats.uki import Architecture, assemble_uki
from strongroom.imaging.stub_mark import missing_mark
from strongroom.measure.predict import measure_image
from strongroom.twin.debian import UkiParts, fetch_debian_uki_parts
from strongroom.twin.initrd import (
    build_initrd,
    character_device_entry,
    file_entry,
    folder_entry,
    link_entry,
    program_entry,
)

pytestmark = pytest.mark.slow

FIRMWARE = Path("/usr/share/AAVMF")
PREDICTED = (2, 4, 7, 11, 12, 13)
APPLETS = ("sh", "mount", "cat", "echo", "poweroff", "base64", "wc", "insmod")


@pytest.fixture(scope="module")
def parts() -> UkiParts:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "strongroom"
    return fetch_debian_uki_parts(cache, progress=print, architecture=Architecture.ARM64)


def initrd_of(parts: UkiParts) -> bytes:
    load = b"".join(b"insmod /%s\n" % module.name.encode() for module in parts.modules)
    return build_initrd(
        [
            program_entry("bin/busybox", parts.busybox.read_bytes()),
            *(link_entry(f"bin/{name}", "busybox") for name in APPLETS),
            *(file_entry(module.name, module.read_bytes()) for module in parts.modules),
            program_entry("init", INIT.replace(b"#!/bin/sh\n", b"#!/bin/sh\n" + load, 1)),
            *map(folder_entry, ("proc", "sys", "dev")),
            character_device_entry("dev/console", major=5, minor=1),
        ]
    )


def boot(image: bytes) -> str:
    """Return what it wrote to its serial line until it switched itself off."""
    with tempfile.TemporaryDirectory(prefix="strongroom-boot-") as scratch:
        folder = Path(scratch)
        (folder / "esp/EFI/BOOT").mkdir(parents=True)
        (folder / "esp/EFI/BOOT/BOOTAA64.EFI").write_bytes(image)
        (folder / "vars.fd").write_bytes((FIRMWARE / "AAVMF_VARS.fd").read_bytes())
        with DebianTpm().run(folder) as socket:
            command = [
                program("qemu-system-aarch64"),
                *("-machine", "virt", "-accel", "tcg", "-cpu", "cortex-a57", "-smp", "1", "-m", "512"),
                *("-nodefaults", "-display", "none", "-serial", "stdio", "-net", "none", "-no-reboot"),
                *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE / 'AAVMF_CODE.fd'}"),
                *("-drive", f"if=pflash,format=raw,unit=1,file={folder / 'vars.fd'}"),
                *("-drive", f"if=none,id=esp,format=raw,file=fat:rw:{folder / 'esp'}"),
                *("-device", "nvme,serial=esp,drive=esp,bootindex=1"),
                *("-chardev", f"socket,id=tpm,path={socket}", "-tpmdev", "emulator,id=tpm0,chardev=tpm"),
                *("-device", "tpm-tis-device,tpmdev=tpm0"),
            ]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=BOOT_SECONDS, check=True
            )
    return done.stdout.decode("utf-8", "replace")


def test_firmware_measures_an_arm64_image_as_it_was_predicted(parts):
    stub = parts.stub.read_bytes()
    sections = [
        *missing_mark(stub),
        (".osrel", b'ID=test\nVERSION_ID="1"\n'),
        (".cmdline", b"console=ttyAMA0 quiet"),
        (".linux", parts.kernel.read_bytes()),
        (".initrd", initrd_of(parts)),
    ]
    image = assemble_uki(stub, sections)
    predicted = measure_image(image, secure_boot=None)
    assert predicted.strongroom is not None
    assert predicted.strongroom.architecture == "arm64"
    serial = boot(image)
    measured = {int(pcr): value.lower() for bank, pcr, value in PCR_LINE.findall(serial) if bank == "sha384"}
    assert len(measured) == 24, serial[-3000:]
    assert {pcr: measured[pcr] for pcr in PREDICTED} == {pcr: predicted.pcrs[pcr].hex() for pcr in PREDICTED}
