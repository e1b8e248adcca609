# SPDX-License-Identifier: Apache-2.0
"""Events about UEFI variables: Secure Boot's state and keys, what let an image through, boot order and options."""

from __future__ import annotations

import re
from collections import Counter

from strongroom.crypto.certificates import describe_certificate
from strongroom.errors import FormatError
from strongroom.formats.device_path import device_path_text, file_of_path
from strongroom.formats.efi import (
    CERT_SHA256,
    CERT_X509,
    GLOBAL_VARIABLE,
    IMAGE_SECURITY_DATABASE,
    KEY_VARIABLES,
    MORE_DATABASES,
    parse_signature_database,
)
from strongroom.formats.event_data import VariableData, parse_variable_data
from strongroom.formats.load_option import names_load_option, parse_load_option, parse_option_order
from strongroom.ids import CertificateDer
from strongroom.measure.wording.words import Proof, Subject, Words, listed, quoted, shown, snippet

_SWITCHES = frozenset({"SecureBoot", "SetupMode", "AuditMode", "DeployedMode"})
_DATABASES = {**KEY_VARIABLES, **MORE_DATABASES}
_STATES = {b"\0": "off", b"\1": "on", b"": "absent"}
_ENTRY_KINDS = {CERT_X509: "certificate", CERT_SHA256: "hash"}
_ORDER = re.compile(r"(Boot|Driver|SysPrep)Order|BootNext")
_MAX_NUMBERS = 32
_OWNER_BYTES = 16


def configuration(subject: Subject) -> Words:
    """Put EV_EFI_VARIABLE_DRIVER_CONFIG into words. Its whole data is measured, so name and content are certain.

    The firmware does this before the separator. What comes later is not its own, and could be of anybody who ran.
    """
    proof = Proof.CLAIMED if subject.after_separator else subject.proof(subject.event.data)
    variable = parse_variable_data(subject.event.data)
    return Words(_variable(variable), proof, subject=variable.name if proof is Proof.COVERED else "")


def authority(subject: Subject) -> Words:
    """Put EV_EFI_VARIABLE_AUTHORITY into words: the entry of db that let an image through, or a setting of shim."""
    variable = parse_variable_data(subject.event.data)
    proof = subject.proof(subject.event.data)
    if (variable.vendor, variable.name) == (IMAGE_SECURITY_DATABASE, "db"):
        return Words(f"db let an image through by {_entry(variable.content[_OWNER_BYTES:])}", proof)
    return Words(_named(variable), proof)


def boot(subject: Subject) -> Words:
    """Put EV_EFI_VARIABLE_BOOT and EV_EFI_VARIABLE_BOOT2 into words.

    Firmware measures the whole, or the content alone (as the specification wants for the older type): then the name of
    the variable is the log's.
    """
    variable = parse_variable_data(subject.event.data)
    said = _content(variable)
    if subject.proof(subject.event.data) is Proof.COVERED:
        return Words(f"variable {_name(variable)}: {said}", Proof.COVERED)
    return Words(f"{said} (the log calls it {_name(variable)})", subject.proof(variable.content))


def _variable(variable: VariableData) -> str:
    if variable.vendor == GLOBAL_VARIABLE and variable.name in _SWITCHES:
        return f"variable {variable.name}: {_STATES.get(variable.content, snippet(variable.content))}"
    if _DATABASES.get(variable.name) == variable.vendor:
        return f"variable {variable.name}: {_database(variable.content)}"
    return _named(variable)


def _named(variable: VariableData) -> str:
    return f"variable {quoted(variable.name)} of {variable.vendor}: {shown(variable.content)}"


def _name(variable: VariableData) -> str:
    plain = variable.vendor == GLOBAL_VARIABLE and (names_load_option(variable.name) or _ORDER.fullmatch(variable.name))
    return variable.name if plain else f"{quoted(variable.name)} of {variable.vendor}"


def _database(content: bytes) -> str:
    if not content:
        return "empty"
    try:
        kinds = Counter(_ENTRY_KINDS.get(entry.kind, "other entry") for entry in parse_signature_database(content))
    except FormatError:
        return f"no signature database, {snippet(content)}"
    return ", ".join(f"{count} {_plural(kind, count)}" for kind, count in sorted(kinds.items()))


def _plural(kind: str, count: int) -> str:
    many = {"hash": "hashes", "other entry": "other entries"}
    return kind if count == 1 else many.get(kind, f"{kind}s")


def _entry(content: bytes) -> str:
    try:
        return f"the certificate of {quoted(describe_certificate(CertificateDer(content)).subject)}"
    except FormatError:
        return f"an entry that is no certificate, {snippet(content)}"


def _content(variable: VariableData) -> str:
    """Return what a boot variable holds. Its layout follows from its name, which may be the log's."""
    try:
        if _ORDER.fullmatch(variable.name):
            return f"order {_order(variable.content)}"
        if not names_load_option(variable.name):
            return shown(variable.content)
        option = parse_load_option(variable.content)
    except FormatError:
        return snippet(variable.content)
    path = option.paths[0]
    place = file_of_path(path) or device_path_text(path)
    handed = f", with {shown(option.optional_data)}" if option.optional_data else ""
    return f"option {quoted(option.description)} for {quoted(place)}{handed}"


def _order(content: bytes) -> str:
    return listed([f"{number:04X}" for number in parse_option_order(content)], most=_MAX_NUMBERS) or "empty"
