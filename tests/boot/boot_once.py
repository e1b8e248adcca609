# SPDX-License-Identifier: Apache-2.0
"""Boots a disk on a machine without a twin, and prints how it ended: `python -m tests.boot.boot_once DISK SECONDS`."""

import sys
from pathlib import Path

from strongroom.formats.pcrs import PcrIndex
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.qemu.hardware import Hardware
from strongroom.twin.qemu.machine import Machine


def main() -> None:
    tpm = NitroTpm()
    with Machine(Hardware(Path(sys.argv[1]), memory_mib=512), tpm=Board(tpm)) as machine:
        machine.switch_on()
        print("RUNNING", flush=True)
        ending = machine.wait(float(sys.argv[2])) or machine.stop()
    print(machine.console.text)
    print(f"ENDED {ending.cause} {ending.message}")
    print(f"PCR4 {tpm.pcrs()[PcrIndex(4)].hex()}")


if __name__ == "__main__":
    main()
