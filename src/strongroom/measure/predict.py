# SPDX-License-Identifier: Apache-2.0
"""Reference values of a UKI that the firmware boots directly: PCR 2, 4, 7, 11, 12 and 13 of the SHA-384 bank.

The rules are those of AWS's `nitro-tpm-pcr-compute` (EC2 User Guide, "Attestable AMIs"), extended by PCR 2, 11
and 13, and each was compared with what OVMF and systemd-stub measure (tests/boot). Every value, constants too, is the
replay of a list of events:

    PCR 2   a separator: no driver ran before the image
    PCR 4   "Calling EFI Application from Boot Option", a separator, the image, and (by stub version) its kernel
    PCR 7   Secure Boot's state and variables, a separator, and the db certificate that verifies the image
    PCR 11  name and contents of each section, as systemd-stub 252 or 257 measures them; left out for other versions
    PCR 12  nothing: no command line or credential was added
    PCR 13  nothing: no extension was added
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from strongroom.errors import FormatError
from strongroom.formats.measurements import MAX_FACT_CHARACTERS, PREDICTED, ImageFacts, Measurements
from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.pe import parse_pe
from strongroom.formats.uki import MEASURABLE_SECTIONS, PAYLOAD_SECTIONS, Uki, parse_uki
from strongroom.measure.authenticode import authenticode_digest
from strongroom.measure.events import BOOT_ACTION, Event, EventType, event_over, replay, separator
from strongroom.measure.secure_boot import SecureBootKeys, secure_boot_events
from strongroom.measure.stub import Stub, recognise_stub

_PCR4, _PCR11 = PcrIndex(4), PcrIndex(11)
_MEASURED_BY_SOME = frozenset(
    (".ucode", ".splash", ".dtb", ".pcrpkey", *(n for n in MEASURABLE_SECTIONS if n not in PAYLOAD_SECTIONS))
)
"""Sections that newer stubs measure (systemd-stub(7)): where the order is not known for one of them, PCR 11 is not."""


def measure_image(image: bytes | memoryview, *, secure_boot: SecureBootKeys | None) -> Measurements:
    """Return the reference values of a UKI, booted directly by the firmware, with Secure Boot off (None) or on.

    Raises FormatError for what is no UKI, NotTrusted for a stub that is not known to measure what the gates rely on,
    and for an image that Secure Boot would refuse.
    """
    uki = parse_uki(image)
    stub = recognise_stub(uki)
    with ThreadPoolExecutor(max_workers=1) as second_core:  # hashing lets go of the interpreter
        sections = second_core.submit(payload_digests, uki)
        events = gate_events(uki, stub, secure_boot)
    payload = stub_events(stub, sections.result())
    pcrs = [index for index in PREDICTED if index != _PCR11 or payload]
    facts = _facts(uki, stub, sections.result(), [e.digest for e in events if e.kind is EventType.APPLICATION])
    return Measurements(pcrs=replay((*events, *payload), pcrs=pcrs), strongroom=facts)


def payload_digests(uki: Uki) -> Mapping[str, bytes]:
    """Return the SHA-384 of what each payload section holds, as stubs extend them into PCR 11, in the image's order."""
    payload = [section for section in uki.image.sections if section.name in MEASURABLE_SECTIONS]
    return {section.name: hashlib.sha384(uki.image.contents(section)).digest() for section in payload}


def gate_events(uki: Uki, stub: Stub, secure_boot: SecureBootKeys | None) -> tuple[Event, ...]:
    """Return the events of PCR 2, 4 and 7. None belong to PCR 12 and 13: they stay zero. Raises as measure_image."""
    kernel = _kernel_digest(uki) if secure_boot is None and stub.loads_kernel_through_firmware else None
    boot_path = boot_path_events(authenticode_digest(uki.image), kernel)
    return (separator(2), *boot_path, *secure_boot_events(uki.image, secure_boot))


def boot_path_events(image: bytes, kernel: bytes | None) -> tuple[Event, ...]:
    """Return the events of PCR 4 for these Authenticode digests; no kernel where the firmware does not load it."""
    programs = ((image, "the image"), (kernel, "the kernel inside the image"))
    return (
        event_over(_PCR4, EventType.ACTION, BOOT_ACTION, "the firmware starts the boot option"),
        separator(_PCR4),
        *(Event(_PCR4, EventType.APPLICATION, digest, about) for digest, about in programs if digest),
    )


def stub_events(stub: Stub, sections: Mapping[str, bytes]) -> tuple[Event, ...]:
    """Return the events of PCR 11 for these digests, none where the order was not compared with a real boot."""
    order = stub.pcr11_sections
    if any(name in sections for name in _MEASURED_BY_SOME if name not in order):
        return ()
    return section_events(order, sections)


def section_events(order: Sequence[str], sections: Mapping[str, bytes]) -> tuple[Event, ...]:
    """Return the events of PCR 11 of a stub that measures name and contents of each section, in this order."""
    present = [name for name in order if name in sections]
    return tuple(event for name in present for event in _section_events(name, sections[name]))


def _section_events(name: str, digest: bytes) -> tuple[Event, Event]:
    return (
        event_over(_PCR11, EventType.IPL, name.encode() + b"\0", f"name of section {name}", subject=name),
        Event(_PCR11, EventType.IPL, digest, f"contents of section {name}", subject=name),
    )


def _facts(uki: Uki, stub: Stub, sections: Mapping[str, bytes], loaded: Sequence[bytes]) -> ImageFacts:
    """Return what was measured; `loaded` are the images that the firmware loads: the UKI, perhaps its kernel."""
    command_line = uki.command_line
    return ImageFacts(
        architecture=uki.architecture.value,
        root_hash=uki.root_hash,
        uki_digest=loaded[0].hex(),
        kernel_digest=loaded[1].hex() if len(loaded) > 1 else "",
        stub=stub.name,
        stub_version=stub.version,
        command_line=command_line if len(command_line) <= MAX_FACT_CHARACTERS else "",
        sections=tuple(sorted((name, digest.hex()) for name, digest in sections.items())),
    )


def _kernel_digest(uki: Uki) -> bytes:
    try:
        return authenticode_digest(parse_pe(uki.kernel))
    except FormatError as error:
        raise FormatError(
            error.code,
            f"in the kernel (section .linux): {error.message}",
            offset=None if error.offset is None else uki.kernel_offset + error.offset,
            spec=error.spec,
            remedy="The firmware loads the kernel as a PE image: it needs to be built with its EFI stub.",
        ) from error
