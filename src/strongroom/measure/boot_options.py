# SPDX-License-Identifier: Apache-2.0
r"""What UEFI variables do to a boot beside Secure Boot (UEFI 2.10, chapter 3), judged against the boot we predict.

Predicted is one boot: the firmware starts nothing, then `\EFI\BOOT\BOOTX64.EFI` (on arm64 BOOTAA64.EFI) of a disk, and
gives it nothing. Variables can add to that, and whoever may edit `uefi-data` may write them (ATTACKS B1, B6, B20):

    Driver####   a driver that runs before the image, measured into PCR 2 alone
    SysPrep####  a program that runs before the image, measured into PCR 4
    Boot####     another program, or a command line for the image (PCR 12; ignored by the stub under Secure Boot)

Each way is a finding, whether the firmware would succeed in it or not: a boot option that fails shows in PCR 4 as well.
Rules are those of the specification, as EDK II and so OVMF follow them. A store of EC2 says in `BootOptionSupport` that
its firmware runs SysPrep programs; whether it honours `Driver####` is not known, and not relied upon.

Not told here: which disk an option leads to, what lies there, and what somebody picks at the console with a hot key
(`Key####`). All of these show in PCR 4 afterwards.
"""

from __future__ import annotations

import enum
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strongroom.errors import Finding, FormatError
from strongroom.formats.device_path import (
    ACPI_DEVICE,
    FILE_PATH,
    HARD_DRIVE,
    NVME,
    PCI,
    SATA,
    SCSI,
    device_path_text,
    file_name,
)
from strongroom.formats.efi_variables import EfiVariables
from strongroom.formats.load_option import LoadOption, parse_load_option, parse_option_order
from strongroom.measure.wording.words import quoted

AUTO_CREATED = uuid.UUID("8108ac4e-9f11-4d59-850e-e21a522c59b2")
"""What EDK II writes behind the options it finds by itself, as its mark (mBmAutoCreateBootOptionGuid). It does not give
this to the program that it starts."""

_DEFAULT_LOADER = re.compile(r"\\EFI\\BOOT\\BOOT(X64|AA64)\.EFI", re.IGNORECASE)
_LOCAL_DISK = frozenset({PCI, ACPI_DEVICE, SCSI, SATA, NVME, HARD_DRIVE, FILE_PATH})
_MAX_COMMAND_LINE = 400
"""Characters of it in a message: the whole of a usual one."""
_MAX_BYTES_SHOWN = 50
_MAX_DESCRIPTION, _MAX_PATH = 80, 200


class OptionKind(enum.StrEnum):
    """The load options that firmware goes through by itself; values are how their variables' names begin."""

    DRIVER = "Driver"
    PREPARATION = "SysPrep"
    BOOT = "Boot"


@dataclass(frozen=True, slots=True)
class StoredOption:
    """A load option in its variable, or why it cannot be read: then the firmware ignores it, or not."""

    name: str
    option: LoadOption | None
    fault: str = ""


def boot_option_findings(variables: EfiVariables) -> tuple[Finding, ...]:
    """Return every way in which these variables make another boot than the predicted one. None: they leave it alone."""
    drivers, preparations = (
        [each for each in options_in_order(variables, kind) if each.option is None or each.option.is_active]
        for kind in (OptionKind.DRIVER, OptionKind.PREPARATION)
    )
    tried = _tried(variables)
    return (
        *_unreadable((*drivers, *preparations, *tried)),
        *_drivers(drivers),
        *_preparations(preparations),
        *_command_lines(tried),
        *_elsewhere(tried),
        *_requests(variables),
    )


def options_in_order(variables: EfiVariables, kind: OptionKind) -> tuple[StoredOption, ...]:
    """Return the options that BootOrder, DriverOrder or SysPrepOrder lists; those that do not exist are left out."""
    return _options(variables, f"{kind}Order", kind)


def stored_option(name: str, data: bytes) -> StoredOption:
    """Return the option in a variable, readable or not."""
    try:
        return StoredOption(name, parse_load_option(data))
    except FormatError as error:
        return StoredOption(name, None, error.message)


def leads_to_default_loader(option: LoadOption) -> bool:
    r"""Whether an option leads to the default loader of a local disk: by its name, or as firmware completes a disk."""
    path = option.paths[0]
    if any(node.what not in _LOCAL_DISK for node in path):
        return False
    files = [node for node in path if node.what == FILE_PATH]
    # Several parts are opened one after the other; put together they may look like another file.
    return bool(path) and (not files or (files == [path[-1]] and bool(_DEFAULT_LOADER.fullmatch(file_name(path[-1])))))


def given_to_program(option: LoadOption) -> str:
    """Return in words what an option gives to the program it starts; empty for nothing."""
    data = option.optional_data
    if not data or data == AUTO_CREATED.bytes_le:
        return ""
    text = data.decode("utf-16-le", "replace").rstrip("\0")
    if text and text.isprintable() and "\ufffd" not in text:
        return f"the command line {quoted(text, most=_MAX_COMMAND_LINE)}"
    return f"{len(data)} bytes {data[:_MAX_BYTES_SHOWN].hex()}"


def describe_option(option: LoadOption) -> str:
    """Return an option's name for people and where it leads, in one line."""
    where = device_path_text(option.paths[0])
    rest = "…" if len(where) > _MAX_PATH else ""
    return f"{quoted(option.description, most=_MAX_DESCRIPTION)}, {where[:_MAX_PATH]}{rest}"


def _options(variables: EfiVariables, order: str, kind: OptionKind) -> tuple[StoredOption, ...]:
    try:
        numbers = parse_option_order(variables.content(order))
    except FormatError as error:
        return (StoredOption(order, None, error.message),)
    names = dict.fromkeys(f"{kind}{number:04X}" for number in numbers)
    return tuple(stored_option(name, data) for name in names if (data := variables.content(name)))


def _tried(variables: EfiVariables) -> tuple[StoredOption, ...]:
    """Return what is tried in turn until something boots. BootNext goes first, active or not."""
    following = _options(variables, "BootNext", OptionKind.BOOT)[:1]
    ordered = options_in_order(variables, OptionKind.BOOT)
    usual = (each for each in ordered if each.option is None or each.option.boots)
    return tuple(dict.fromkeys((*following, *usual)))


def _unreadable(options: Sequence[StoredOption]) -> Iterator[Finding]:
    for each in options:
        if each.option is None:
            yield Finding(
                "boot-option.unreadable", f"{each.name} cannot be read, so what it does is not known: {each.fault}"
            )


def _drivers(options: Sequence[StoredOption]) -> Iterator[Finding]:
    for each in options:
        if each.option is not None:
            yield Finding(
                "boot-option.driver",
                f"{each.name} {describe_option(each.option)}, is a driver that runs before the image: "
                "PCR 2 moves, and PCR 4, 7, 12 and 13 do not show it",
            )


def _preparations(options: Sequence[StoredOption]) -> Iterator[Finding]:
    for each in options:
        if each.option is not None:
            yield Finding(
                "boot-option.preparation",
                f"{each.name} {describe_option(each.option)}, is a program that runs before the image: PCR 4 moves",
            )


def _command_lines(options: Sequence[StoredOption]) -> Iterator[Finding]:
    for each in options:
        if each.option is not None and (given := given_to_program(each.option)):
            yield Finding(
                "boot-option.command-line",
                f"{each.name} {describe_option(each.option)}, gives {given} to what it starts: with Secure Boot off "
                "a unified kernel image takes it, and PCR 12 moves",
            )


def _elsewhere(options: Sequence[StoredOption]) -> Iterator[Finding]:
    leading = [each.option is not None and leads_to_default_loader(each.option) for each in options]
    first = leading.index(True) if True in leading else len(options)
    for each in options[:first]:
        if each.option is None:
            continue
        found = f"{each.name} {describe_option(each.option)}, is tried"
        if first < len(options):
            yield Finding(
                "boot-option.in-front",
                f"{found} before {options[first].name}, which leads to the default loader: whether it starts or "
                "fails, PCR 4 shows it",
            )
        else:
            yield Finding(
                "boot-option.elsewhere",
                rf"{found}, and no boot option leads to the default loader (\EFI\BOOT\BOOTX64.EFI or BOOTAA64.EFI) of "
                "a disk: PCR 4 shows what it finds",
            )


def _requests(variables: EfiVariables) -> Iterator[Finding]:
    if any(asked := variables.content("OsIndications")):
        yield Finding(
            "boot-option.request",
            f"OsIndications asks the firmware for something else than to boot (its setup, a recovery or an update): "
            f"{asked[::-1].hex()}",
        )
    if variables.content("OsRecoveryOrder"):
        yield Finding(
            "boot-option.recovery", "OsRecoveryOrder names recovery programs, which may run in the image's place"
        )
