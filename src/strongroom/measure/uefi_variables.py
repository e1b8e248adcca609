# SPDX-License-Identifier: Apache-2.0
"""From a machine's UEFI variables to what a prediction needs: its Secure Boot keys, or the reasons why there is none.

Not only the firmware reads variables. systemd takes options of its own from `SystemdOptions`, as it takes them from the
kernel command line, unless Secure Boot is on (kernel-command-line(7); deprecated since 254), and no PCR holds them.

What is measured into PCR 7 is the data of PK, KEK, db and dbx; their attributes, timestamps and digests are not.
Secure Boot is on when there is a PK, as AWS's `nitro-tpm-pcr-compute` and the EC2 User Guide have it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping

from strongroom.errors import Finding, NotTrusted
from strongroom.formats.efi import KEY_VARIABLES, MORE_DATABASES, SECURE_BOOT_ENABLE, SYSTEMD
from strongroom.formats.efi_variables import EfiVariables
from strongroom.measure.boot_options import boot_option_findings
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.measure.wording.words import quoted

_ON = b"\x01"
_MAX_OPTIONS = 400
"""Characters of them in a message."""


def keys_of_predicted_boot(variables: EfiVariables) -> SecureBootKeys | None:
    """Return the Secure Boot keys of a machine with these variables, None where Secure Boot is off.

    Raises NotTrusted, with findings, where the variables make another boot than the predicted one: reference values
    would then describe a boot that does not happen. Raises FormatError where a key variable cannot be read.
    """
    findings = variable_findings(variables)
    if findings:
        raise NotTrusted(
            "measure.variables",
            f"expected variables that leave the boot as it is predicted, found {len(findings)} that do not",
            findings=findings,
            remedy="Take them out of the UEFI data, or find out who put them there: they act before the image runs, or "
            "on the system in it.",
        )
    return secure_boot_keys(variables)


def variable_findings(variables: EfiVariables) -> tuple[Finding, ...]:
    """Return everything in the variables that leads away from the predicted boot."""
    return (
        *boot_option_findings(variables),
        *_systemd_findings(variables),
        *_secure_boot_findings(variables),
    )


def secure_boot_keys(variables: EfiVariables) -> SecureBootKeys | None:
    """Return the keys in the variables, None without a PK. Raises FormatError where one cannot be read."""
    pk, kek, db, dbx = (variables.content(*variable) for variable in KEY_VARIABLES.items())
    return SecureBootKeys(pk=pk, kek=kek, db=db, dbx=dbx) if pk else None


def _systemd_findings(variables: EfiVariables) -> Iterator[Finding]:
    if options := variables.content("SystemdOptions", SYSTEMD):
        text = options.decode("utf-16-le", "backslashreplace").rstrip("\0")
        yield Finding(
            "running-system.options",
            f"SystemdOptions gives systemd {quoted(text, most=_MAX_OPTIONS)} as the kernel command line would, which "
            "may start another program or a shell: NO PCR SHOWS IT. systemd takes it unless Secure Boot is on",
        )


def _secure_boot_findings(variables: EfiVariables) -> Iterator[Finding]:
    switch = variables.find("SecureBootEnable", SECURE_BOOT_ENABLE)
    if variables.content("PK") and switch is not None and switch.data != _ON:
        yield Finding(
            "secure-boot.disabled",
            f"there is a PK, and SecureBootEnable is {switch.data.hex() or 'empty'}: Secure Boot would be off, and "
            "PCR 7 is none that is predicted",
        )
    keys, more = (_present(variables, known) for known in (KEY_VARIABLES, MORE_DATABASES))
    if keys and "PK" not in keys:
        yield Finding(
            "secure-boot.keys-without-pk",
            f"there is no PK, and {', '.join(keys)} is set: Secure Boot is off, and PCR 7 holds what is set all the "
            "same",
        )
    if more:
        yield Finding(
            "secure-boot.more-databases",
            f"{', '.join(more)} is set: firmware may measure it into PCR 7, which is not predicted",
        )


def _present(variables: EfiVariables, known: Mapping[str, uuid.UUID]) -> tuple[str, ...]:
    """Return which of these variables hold something, by name."""
    return tuple(name for name, vendor in known.items() if variables.content(name, vendor))
