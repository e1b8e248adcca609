# SPDX-License-Identifier: Apache-2.0
"""What UEFI variables stand for, in words.

Sources: UEFI 2.10, section 3.3; EDK II for its own; names seen in stores of EC2. Words only: nothing decides by them.
"""

from __future__ import annotations

import uuid

from strongroom.errors import FormatError
from strongroom.formats.efi import GLOBAL_VARIABLE, IMAGE_SECURITY_DATABASE, SECURE_BOOT_ENABLE, SYSTEMD
from strongroom.formats.efi_variables import EfiVariable
from strongroom.formats.load_option import numbered_kind, parse_option_order

VENDORS = {
    GLOBAL_VARIABLE: "UEFI",
    IMAGE_SECURITY_DATABASE: "UEFI's image security",
    SECURE_BOOT_ENABLE: "EDK II's Secure Boot switch",
    uuid.UUID("c076ec0c-7028-4399-a072-71ee5c448b9f"): "EDK II's custom mode",
    uuid.UUID("d9bee56e-75dc-49d9-b4d7-b534210f637a"): "EDK II's record of its certificates",
    uuid.UUID("4c19049f-4137-4dd3-9c10-8b97a83ffdfa"): "EDK II's memory types",
    uuid.UUID("eb704011-1402-11d3-8e77-00a0c969723b"): "EDK II's monotonic counter",
    uuid.UUID("605dab50-e046-4300-abb6-3dd810dd8b23"): "shim",
    uuid.UUID("4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"): "systemd-boot",
    SYSTEMD: "systemd",
}
_MEANINGS = {
    "PK": "the platform key; Secure Boot is on where there is one",
    "KEK": "the keys that may change db and dbx",
    "db": "the certificates and images that Secure Boot allows",
    "dbx": "the certificates and images that Secure Boot forbids",
    "dbt": "the certificates of time stampers",
    "dbr": "the certificates for recovery",
    "SecureBoot": "the state of Secure Boot, which the firmware sets at each start",
    "SetupMode": "whether keys can be enrolled, which the firmware sets at each start",
    "SecureBootEnable": "the switch beside the keys: 01 is on",
    "SystemdOptions": "options for systemd, beside those of the kernel command line",
    "X-Nitro-SecurebootStatus": "set by EC2; AWS does not say what it means",
    "OsIndications": "what the firmware is asked to do at the next start instead of booting",
    "OsIndicationsSupported": "what the firmware can be asked to do",
    "OsRecoveryOrder": "recovery programs, and their order",
    "Lang": "the language of the firmware",
    "LangCodes": "the languages of the firmware",
    "PlatformLang": "the language of the firmware",
    "PlatformLangCodes": "the languages of the firmware",
    "ConIn": "where the firmware reads keys from",
    "ConOut": "where the firmware writes to",
    "ErrOut": "where the firmware writes errors to",
    "ConInDev": "where the firmware could read keys from",
    "ConOutDev": "where the firmware could write to",
    "ErrOutDev": "where the firmware could write errors to",
}
_ORDERS = {
    "BootOrder": ("Boot", "what is tried, in this order"),
    "DriverOrder": ("Driver", "the drivers that run first, in this order"),
    "SysPrepOrder": ("SysPrep", "the programs that run before anything boots, in this order"),
    "BootNext": ("Boot", "what is tried once, before all others"),
    "BootCurrent": ("Boot", "what had booted when this was written"),
}
_NUMBERED = {
    "Boot": "something to boot",
    "Driver": "a driver to run before anything boots",
    "SysPrep": "a program to run before anything boots",
    "Key": "a key that starts one of the boot options when it is pressed",
    "PlatformRecovery": "what the firmware falls back to; it writes this itself",
}
_ABILITIES = {0x01: "hot keys", 0x02: "applications", 0x10: "SysPrep programs"}


def variable_sentence(variable: EfiVariable) -> str:
    """Return what a variable stands for, as one sentence without a full stop."""
    if variable.vendor not in VENDORS:
        return f"of vendor {variable.vendor}, which Strongroom does not know; {byte_count(variable.data)}"
    if variable.vendor == GLOBAL_VARIABLE and (said := _spoken(variable)):
        return said
    numbered = _NUMBERED.get(numbered_kind(variable.name))
    meaning = _MEANINGS.get(variable.name) or numbered or f"of {VENDORS[variable.vendor]}"
    return f"{meaning}; {byte_count(variable.data)}"


def byte_count(data: bytes) -> str:
    """Return how many bytes these are, in words."""
    return "1 byte" if len(data) == 1 else f"{len(data)} bytes"


def _spoken(variable: EfiVariable) -> str:
    """Return a sentence that tells the value too, empty where there is none."""
    data = variable.data
    if variable.name in _ORDERS:
        kind, words = _ORDERS[variable.name]
        try:
            names = [f"{kind}{number:04X}" for number in parse_option_order(data)]
        except FormatError:
            return f"{words}, but it cannot be read"
        return f"{words}: {', '.join(names) or 'nothing'}"
    if variable.name == "BootOptionSupport":
        bits = int.from_bytes(data[:4], "little")
        able = [words for bit, words in _ABILITIES.items() if bits & bit]
        return f"what the firmware that wrote this can start: {', '.join(['boot options', *able])}"
    if variable.name == "Timeout":
        return f"how long the firmware waits for a key: {int.from_bytes(data[:2], 'little')} seconds"
    return ""
