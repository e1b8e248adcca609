# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` for UEFI variables: a `uefi-data` blob of EC2, or a variable store of QEMU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from strongroom.cli.findings import finding_lines, finding_members
from strongroom.cli.inspection import Inspection
from strongroom.cli.secure_boot_options import read_variables
from strongroom.crypto.certificates import describe_certificate
from strongroom.errors import Finding, FormatError
from strongroom.formats.efi import (
    CERT_SHA256,
    CERT_X509,
    GLOBAL_VARIABLE,
    KEY_VARIABLES,
    SignatureEntry,
    parse_signature_database,
)
from strongroom.formats.efi_variable_meanings import VENDORS, byte_count, variable_sentence
from strongroom.formats.efi_variables import EfiVariable, EfiVariables
from strongroom.formats.file_kind import FileKind, guess_kind
from strongroom.formats.load_option import names_load_option
from strongroom.formats.uefi_data import MAX_TEXT_BYTES
from strongroom.ids import CertificateDer
from strongroom.measure.boot_options import StoredOption, describe_option, given_to_program, stored_option
from strongroom.measure.uefi_variables import variable_findings

_PRINTED_BLOB = (b'"QU1aTlVFRk', b'"UefiData"')
"""In JSON: the blob itself as a string, and the key under which the AWS CLI prints it."""
_MOST_ENTRIES = 8
"""Of one database in the text; a full dbx has hundreds of digests. JSON has them all."""


def recognise(data: bytes) -> Inspection | None:
    """Describe UEFI variables; None for anything else. Raises FormatError."""
    if not _holds_variables(data):
        return None
    variables = read_variables(data)
    keys = {name: _entries(variables.content(name, vendor)) for name, vendor in KEY_VARIABLES.items()}
    options = [stored_option(v.name, v.data) for v in variables if _is_option(v)]
    findings = variable_findings(variables)
    edk2 = guess_kind(data) is FileKind.FIRMWARE_VOLUME
    return Inspection(
        kind="edk2-variable-store" if edk2 else "uefi-data",
        title="a variable store of EDK II (QEMU)" if edk2 else "UEFI variables as EC2 stores them (uefi-data)",
        lines=(
            *_key_lines(variables, keys),
            *_option_lines(options),
            *_variable_lines(variables),
            *_finding_lines(variables, findings),
        ),
        facts={
            "secure_boot": bool(variables.content("PK")),
            "keys": keys,
            "options": [{"name": each.name, "text": _option_text(each)} for each in options],
            "variables": [_variable_facts(variable) for variable in variables],
            "findings": [finding_members(finding) for finding in findings],
        },
        pointer="Measure with them: `strongroom measure IMAGE --uefi-data FILE`.",
    )


def _holds_variables(data: bytes) -> bool:
    if guess_kind(data) in {FileKind.UEFI_DATA, FileKind.FIRMWARE_VOLUME}:
        return True
    if len(data) > MAX_TEXT_BYTES:
        return False
    blob, key = _PRINTED_BLOB
    text = data.lstrip()
    return text.startswith(blob) or (text.startswith(b"{") and key in text)


def _is_option(variable: EfiVariable) -> bool:
    return variable.vendor == GLOBAL_VARIABLE and names_load_option(variable.name)


def _entries(database: bytes) -> list[str]:
    """Return each entry of a signature database in words."""
    try:
        return [_entry(entry) for entry in parse_signature_database(database)]
    except FormatError as error:
        return [f"{byte_count(database)}, no signature database: {error}"]


def _entry(entry: SignatureEntry) -> str:
    owner = f"owner {entry.owner}"
    if entry.kind == CERT_SHA256:
        return f"the image with the SHA-256 digest {entry.content.hex()}, {owner}"
    if entry.kind != CERT_X509:
        return f"{byte_count(entry.content)} of the kind {entry.kind}, {owner}"
    if not entry.content:
        return f"an empty certificate: a key that nobody has, {owner}"
    try:
        facts = describe_certificate(CertificateDer(entry.content))
    except FormatError as error:
        return f"a certificate that cannot be read ({error}), {owner}"
    return f"{facts.subject}, SHA-256 {facts.sha256.hex()}, {owner}"


def _key_lines(variables: EfiVariables, keys: dict[str, list[str]]) -> Iterator[str]:
    on = bool(variables.content("PK"))
    yield f"Secure Boot is {'on: there is a' if on else 'off: there is no'} platform key (PK)."
    for name, entries in keys.items():
        for entry in entries[:_MOST_ENTRIES]:
            yield f"  {name:<4}{entry}"
        if len(entries) > _MOST_ENTRIES:
            yield f"  {name:<4}and {len(entries) - _MOST_ENTRIES} more"


def _option_lines(options: Sequence[StoredOption]) -> Iterator[str]:
    yield ""
    yield "What may be started:" if options else "Nothing is named that may be started: the firmware looks for itself."
    for each in options:
        yield f"  {each.name} {_option_text(each)}"


def _option_text(stored: StoredOption) -> str:
    if stored.option is None:
        return f"cannot be read: {stored.fault}"
    given = given_to_program(stored.option)
    state = "active" if stored.option.is_active else "not active"
    return f"{describe_option(stored.option)}; {state}{f'; gives it {given}' if given else ''}"


def _variable_lines(variables: EfiVariables) -> Iterator[str]:
    yield ""
    yield f"All {len(variables.variables)} variables:"
    for variable in variables:
        yield f"  {variable.name}: {variable_sentence(variable)}"


def _finding_lines(variables: EfiVariables, findings: Sequence[Finding]) -> Iterator[str]:
    yield ""
    if not findings:
        yield _same_boot(variables)
        return
    yield "They make another boot than `strongroom measure` predicts:"
    for finding in findings:
        yield from finding_lines(finding)


def _same_boot(variables: EfiVariables) -> str:
    if not variables.variables:
        return "No variables."
    with_keys = " Measure with these keys: `strongroom measure IMAGE --uefi-data FILE`."
    return f"Nothing here makes another boot.{with_keys if variables.content('PK') else ''}"


def _variable_facts(variable: EfiVariable) -> dict[str, object]:
    return {
        "name": variable.name,
        "vendor": str(variable.vendor),
        "known_vendor": VENDORS.get(variable.vendor),
        "attributes": variable.attributes,
        "data": variable.data.hex(),
        "sentence": variable_sentence(variable),
    }
