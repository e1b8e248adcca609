# SPDX-License-Identifier: Apache-2.0
"""`strongroom measure`: reference measurements of an image, without running it."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from strongroom.cli.output import emit, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.secure_boot_options import secure_boot_options
from strongroom.errors import FormatError
from strongroom.flows.files import PUBLIC_MODE, read_file, read_head, write_file
from strongroom.formats.file_kind import HEAD_BYTES, FileKind, guess_kind
from strongroom.formats.measurements import Measurements, encode_aws_measurements, encode_measurements
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, PcrIndex
from strongroom.formats.pe import MAX_IMAGE_BYTES
from strongroom.measure.predict import measure_image
from strongroom.measure.secure_boot import SecureBootKeys

_PCR7_OFF = "Secure Boot is off: the same on every such machine, whatever it runs. It does not gate."
_PCR7_ON = "Secure Boot is on, with these keys, and the certificate in db that lets the image through."
_SENTENCES = {
    2: "No driver ran before the image: the same on every machine where none did.",
    4: "What the firmware ran: this image, and nothing before it.",
    11: "What is inside the image, as its stub sees it, before the system adds to it. It does not gate.",
    12: "Zero: no kernel command line or credential was added from outside.",
    13: "Zero: no system extension was added from outside.",
}
_DISKS = frozenset({FileKind.DISK, FileKind.CONTAINER_DISK})
_DISK_REMEDY = "This version reads no disks. Give the image on its EFI partition (mcopy, from mtools, copies it out)."
_IMAGE_REMEDY = "Give the unified kernel image that the firmware boots, usually EFI/BOOT/BOOTX64.EFI."


@click.command()
@click.argument("image", type=PATH)
@secure_boot_options
@click.option("--aws", is_flag=True, help="PCR 4, 7 and 12 only, as AWS's nitro-tpm-pcr-compute writes them.")
@click.option("-o", "--output", type=PATH, help="Write the measurements to this file.")
@json_option
def command(
    *,
    image: Path,
    secure_boot: SecureBootKeys | None,
    aws: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Compute what a NitroTPM will hold after IMAGE has booted.

    IMAGE is a unified kernel image (.efi) that the firmware boots directly. Nothing is run. With --pk, Secure Boot is
    taken to be on with the keys given; whether the signature holds is for the firmware to say. With --uefi-data, keys
    are taken from there, and variables that would make another boot (drivers, programs, command lines) are refused;
    that IMAGE is what lies on the disk they lead to is taken for granted.

    \b
    Example:  strongroom measure BOOTX64.EFI -o measurements.json
    """
    measurements = measure_image(_read_image(image), secure_boot=secure_boot)
    encoded = encode_aws_measurements(measurements) if aws else encode_measurements(measurements)
    if output is not None:
        write_file(output, encoded, mode=PUBLIC_MODE)
    result = {
        "measurements": json.loads(encoded),
        "gates": list(measurements.gates),
        "written": None if output is None else str(output),
    }
    if aws and output is None and not as_json:
        click.echo(encoded, nl=False)
    else:
        emit(result, as_json=as_json, human=lambda console: _print(console, measurements, output))


def _read_image(path: Path) -> bytes:
    kind = guess_kind(read_head(path, maximum_bytes=HEAD_BYTES))
    if kind is not FileKind.EFI_IMAGE:
        raise FormatError(
            "measure.not-an-image",
            f"expected a unified kernel image (.efi) in {path}, found {kind}",
            offset=0,
            remedy=_DISK_REMEDY if kind in _DISKS else _IMAGE_REMEDY,
        )
    return read_file(path, maximum_bytes=MAX_IMAGE_BYTES)


def _print(console: Console, measurements: Measurements, output: Path | None) -> None:
    facts = measurements.strongroom
    if facts is not None:
        console.print(f"{facts.architecture} image with {facts.stub} {facts.stub_version}", markup=False)
    for index, digest in measurements.pcrs.items():
        console.print(f"PCR{index:<3} {digest.hex()}", markup=False)
        console.print(f"       {_sentence(index, digest)}", markup=False)
    if PcrIndex(11) not in measurements.pcrs:
        console.print("PCR11  left out: not predicted for this version of the stub.", markup=False)
    gates = ", ".join(str(index) for index in measurements.gates)
    console.print(
        f"Gate on PCR {gates}. PCRs tell what booted, not for whom: tenants are told apart by the key policy."
    )
    if output is not None:
        console.print(f"Written to {output}", markup=False)


def _sentence(index: PcrIndex, digest: bytes) -> str:
    if index == PcrIndex(7):
        return _PCR7_OFF if digest == SECURE_BOOT_OFF_PCR7_SHA384 else _PCR7_ON
    return _SENTENCES[index]
