# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` for unified kernel images and other EFI programs. Nothing is verified here."""

from __future__ import annotations

from strongroom.cli.inspection import Inspection
from strongroom.errors import NotTrusted
from strongroom.formats.file_kind import HEAD_BYTES, FileKind, guess_kind
from strongroom.formats.pe import MACHINE_AARCH64, MACHINE_X86_64, PeImage, parse_certificate_table, parse_pe
from strongroom.formats.uki import Uki, parse_uki
from strongroom.measure.authenticode import authenticode_digest
from strongroom.measure.sections import section_digests
from strongroom.measure.stub import recognise_stub

_MAX_SHOWN_BYTES = 4_096
_MACHINES = {MACHINE_X86_64: "x86_64", MACHINE_AARCH64: "arm64"}
_POINTER = "`strongroom measure` says what it leaves in the PCRs."
_NOT_MEASURED = "`strongroom measure` takes unified kernel images alone."


def recognise(data: memoryview) -> Inspection | None:
    """Describe a PE image; None for anything else. Raises FormatError."""
    if guess_kind(bytes(data[:HEAD_BYTES])) is not FileKind.EFI_IMAGE:
        return None
    image = parse_pe(data)
    sections = _sections(image)
    facts: dict[str, object] = {
        "architecture": _MACHINES.get(image.machine, f"{image.machine:#06x}"),
        "authenticode_sha384": authenticode_digest(image).hex(),
        "signatures": len(parse_certificate_table(image)),
        "sections": sections,
    }
    if all(section.name != ".linux" for section in image.sections):
        lines = (*_lines(facts), *_section_lines(sections))
        return Inspection("efi-program", "an EFI program, and no unified kernel image", lines, facts, _NOT_MEASURED)
    facts |= _uki_facts(parse_uki(data))
    lines = (*_lines(facts), *_uki_lines(facts), *_section_lines(sections))
    return Inspection("uki", "a unified kernel image", lines, facts, _POINTER)


def _sections(image: PeImage) -> list[dict[str, object]]:
    return [
        {"name": section.name, "bytes": len(image.contents(section)), "sha384": digest.hex()}
        for section, digest in section_digests(image)
    ]


def _uki_facts(uki: Uki) -> dict[str, object]:
    facts: dict[str, object] = {
        "command_line": _text(uki.section(".cmdline")),
        "root_hash": uki.root_hash,
        "os_release": _text(uki.section(".osrel")),
    }
    try:
        stub = recognise_stub(uki)
    except NotTrusted as error:
        return {"stub": "", "stub_version": "", "stub_problem": error.message, **facts}
    return {"stub": stub.name, "stub_version": stub.version, "stub_problem": "", **facts}


def _text(section: memoryview | None) -> str:
    """Return the beginning of a section as text; what is no UTF-8 shows as that."""
    return bytes((section or memoryview(b""))[:_MAX_SHOWN_BYTES]).rstrip(b"\0\n").decode("utf-8", "replace")


def _uki_lines(facts: dict[str, object]) -> tuple[str, ...]:
    stub = f"{facts['stub']} {facts['stub_version']}".strip() or f"not attestable: {facts['stub_problem']}"
    return (
        f"Stub:         {stub}",
        f"Command line: {facts['command_line'] or 'none'}",
        f"Root hash:    {facts['root_hash'] or 'none in the command line: only what is in the image is bound'}",
        "Operating system (os-release):",
        *(f"  {line}" for line in str(facts["os_release"] or "not said").splitlines()),
    )


def _lines(facts: dict[str, object]) -> tuple[str, ...]:
    return (
        f"Architecture: {facts['architecture']}",
        f"Signatures:   {facts['signatures'] or 'none'}",
        f"Authenticode SHA-384: {facts['authenticode_sha384']}",
    )


def _section_lines(sections: list[dict[str, object]]) -> tuple[str, ...]:
    rows = (f"  {s['name']:<9} {s['bytes']:>11,} {s['sha384']}" for s in sections)
    return ("", "Sections (name, bytes, SHA-384 of the contents without padding):", *rows)
