# SPDX-License-Identifier: Apache-2.0
"""What the twin's firmware and the image's systemd-stub measure at boot: a list of events, replayed into PCRs.

The list is written from the TCG PC Client Platform Firmware Profile 1.06 (section 3.3.4, usage of PCRs), from
systemd-stub(7) and from boots under OVMF; `strongroom.measure` has no part in it, so that the two can be compared.
Hostile changes of the account's owner are fields of `Firmware`: another command line, drivers and programs that run
before the image, Secure Boot variables, files beside the image, a boot without UEFI at all.

Promised to equal what a machine measures: PCR 2, 4, 7, 9 (command line and initrd of the image), 11, 12 (command line)
and 13 (empty). PCR 0 is the constant of genuine NitroTPM documents, taken as it stands. PCR 1, 5 and the digests of
credentials and extensions, in PCR 9 too, stand for values that nobody predicts: they change when they should, and are
stable when they should be.
"""

from __future__ import annotations

import hashlib
import struct
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from strongroom.formats.pcrs import ZERO_SHA384, PcrDigests
from strongroom.twin.authenticode import Image, authenticode_sha384, read_image
from strongroom.twin.stub import StubInputs, stub_events, stub_version
from strongroom.twin.tcg_event import Event, EventType, hashed

PCR_COUNT = 24
LOCALITY_PCRS = range(17, 23)
"""PCRs of dynamic launches: all ones until one happens (TCG PC Client PTP, section 4.6)."""
GENUINE_PCR0 = bytes.fromhex(
    "6e901b16932f6e036747d7a57696e4a2cc864008ebc016826ca1d7bd42ab5ac8286ccf49cde6c0284cbc4b63d978a2ec"
)
"""PCR 0 of all six genuine NitroTPM documents that were examined."""
EFI_GLOBAL_VARIABLE = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
"""UEFI 2.10 section 3.3."""
EFI_IMAGE_SECURITY_DATABASE = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
"""UEFI 2.10 section 32.6.1."""
_SEPARATOR = bytes(4)
_SEPARATED = range(8)
_CALLING = b"Calling EFI Application from Boot Option"


@dataclass(frozen=True, slots=True)
class SecureBoot:
    """The variables of an enabled Secure Boot, as EFI signature lists, and the db entry that vouches for the image.

    `authority` is that entry as EV_EFI_VARIABLE_AUTHORITY records it: the owner's GUID and the DER certificate. The
    twin's firmware measures what it is told here; it does not verify the image's signature.
    """

    pk: bytes
    kek: bytes
    db: bytes
    dbx: bytes
    authority: bytes


@dataclass(frozen=True, slots=True)
class Firmware:
    """The boot environment. The defaults are an honest EC2 instance with Secure Boot off."""

    load_options: str | None = None
    """A command line in the boot variable: `Boot####` OptionalData (attack B1)."""
    drivers: tuple[bytes, ...] = ()
    """EFI drivers of `Driver####` options, run before the image (attack B20)."""
    programs_before: tuple[bytes, ...] = ()
    """EFI programs of `SysPrep####` options: they run before firmware is ready to boot anything (attack B20)."""
    loaders: tuple[bytes, ...] = ()
    """Boot loaders that run in the image's place and start it (attack B6)."""
    secure_boot: SecureBoot | None = None
    credentials: Mapping[str, bytes] = field(default_factory=dict)
    """`*.cred` files beside the image on its system partition (attack B2)."""
    extensions: Mapping[str, bytes] = field(default_factory=dict)
    """`*.raw` system extensions beside the image (attack B3)."""
    legacy_bios: bool = False
    """Registered without UEFI: nothing is measured (attack B8)."""
    software_extends: tuple[tuple[int, bytes], ...] = ()
    """(PCR, digest) pairs that hostile software extends after boot."""


@dataclass(frozen=True, slots=True)
class Boot:
    """A finished boot: its events in order, and the PCRs they lead to."""

    events: tuple[Event, ...]
    pcrs: PcrDigests


def boot(image: bytes, *, firmware: Firmware, instance_id: str) -> Boot:
    """Boot `image` (a UKI or any EFI program) and return what was measured. Raises FormatError for what cannot boot."""
    measured = [] if firmware.legacy_bios else [*_uefi_events(read_image(image), firmware, instance_id)]
    measured += [
        Event(pcr, EventType.EVENT_TAG, digest, "extended by software after boot")
        for pcr, digest in firmware.software_extends
    ]
    events = tuple(measured)
    return Boot(events, replay(events))


def replay(events: Iterable[Event]) -> PcrDigests:
    """Extend every event into the PCRs of a machine that was just reset (TPM 2.0 part 1, section 17)."""
    pcrs = dict.fromkeys(range(PCR_COUNT), ZERO_SHA384) | dict.fromkeys(LOCALITY_PCRS, b"\xff" * len(ZERO_SHA384))
    pcrs[0] = GENUINE_PCR0
    for event in events:
        pcrs[event.pcr] = hashlib.sha384(pcrs[event.pcr] + event.digest).digest()
    return PcrDigests.of(pcrs)


def _uefi_events(image: Image, firmware: Firmware, instance_id: str) -> Iterable[Event]:
    yield hashed(1, EventType.PLATFORM_CONFIG, instance_id.encode(), "configuration of this one machine")
    yield from _secure_boot_events(firmware.secure_boot)
    for number, driver in enumerate(firmware.drivers):
        digest = authenticode_sha384(read_image(driver))
        yield Event(2, EventType.EFI_BOOT_SERVICES_DRIVER, digest, f"driver of option Driver{number:04X}")
    for program in firmware.programs_before:
        yield _program(read_image(program), "a program that ran before the firmware was ready to boot")
    yield hashed(5, EventType.EFI_GPT, image.data, "partition table of the image's disk")
    yield hashed(4, EventType.EFI_ACTION, _CALLING, _CALLING.decode())
    for pcr in _SEPARATED:
        if pcr:  # the genuine constant of PCR 0 holds its separator already
            yield hashed(pcr, EventType.SEPARATOR, _SEPARATOR, "end of the firmware's own measurements")
    if firmware.secure_boot:
        variable = _variable(EFI_IMAGE_SECURITY_DATABASE, "db", firmware.secure_boot.authority)
        yield hashed(7, EventType.EFI_VARIABLE_AUTHORITY, variable, "db entry that vouches for the image")
    yield from _program_events(image, firmware)


def _program_events(image: Image, firmware: Firmware) -> Iterable[Event]:
    for loader in firmware.loaders:
        yield _program(read_image(loader), "a boot loader that started the image")
    yield _program(image, "the image")
    kernel = image.section(".linux")
    if kernel is None:
        return
    secure = firmware.secure_boot is not None
    yield from stub_events(
        image,
        StubInputs(
            load_options=firmware.load_options,
            credentials=firmware.credentials,
            extensions=firmware.extensions,
            secure_boot=secure,
        ),
    )
    # The stub hands the kernel to LoadImage(), which measures it once more, unless the stub loads it by itself:
    # from version 258 on, and with Secure Boot on from 252 on (read from AWS's nitro-tpm-pcr-compute, seen with 252).
    loads_by_itself = 252 if secure else 258
    if stub_version(image) < loads_by_itself:
        yield _program(read_image(kernel), "the kernel inside the image")


def _program(image: Image, what: str) -> Event:
    return Event(4, EventType.EFI_BOOT_SERVICES_APPLICATION, authenticode_sha384(image), what)


def _secure_boot_events(secure_boot: SecureBoot | None) -> Iterable[Event]:
    on = secure_boot is not None
    variables = (
        (EFI_GLOBAL_VARIABLE, "SecureBoot", bytes([on])),
        (EFI_GLOBAL_VARIABLE, "PK", secure_boot.pk if secure_boot else b""),
        (EFI_GLOBAL_VARIABLE, "KEK", secure_boot.kek if secure_boot else b""),
        (EFI_IMAGE_SECURITY_DATABASE, "db", secure_boot.db if secure_boot else b""),
        (EFI_IMAGE_SECURITY_DATABASE, "dbx", secure_boot.dbx if secure_boot else b""),
    )
    for guid, name, data in variables:
        yield hashed(7, EventType.EFI_VARIABLE_DRIVER_CONFIG, _variable(guid, name, data), f"variable {name}")


def _variable(guid: uuid.UUID, name: str, data: bytes) -> bytes:
    """Encode UEFI_VARIABLE_DATA (TCG PFP 1.06 section 10.2.6): GUID, both lengths, the name in UTF-16, the data."""
    return guid.bytes_le + struct.pack("<QQ", len(name), len(data)) + name.encode("utf-16-le") + data
