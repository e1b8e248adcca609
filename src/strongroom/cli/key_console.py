# SPDX-License-Identifier: Apache-2.0
"""The failure that an agent printed to its console: the PCRs of a boot that KMS opened nothing for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from strongroom.cli.key_document import Document
from strongroom.cli.paths import named
from strongroom.errors import Finding, FormatError, Severity
from strongroom.flows.files import read_file
from strongroom.formats.console import parse_console
from strongroom.formats.console_text import MAX_CONSOLE_BYTES
from strongroom.keypolicy.context import NitroTpmPcrs

_REFUSED = "kms.access-denied"
_CLAIMED = Finding(
    "key.console-unsigned",
    "these PCRs are what a line on the console says: anybody can print one. A document shows what booted",
    severity=Severity.WARNING,
)


def read_failure(path: Path) -> Document:
    """Return the PCRs of the last failure in a saved console, as a document with them.

    Raises FormatError where there is no failure or it tells no PCRs, LocalFault.
    """
    with named(path):
        console = parse_console(read_file(path, maximum_bytes=MAX_CONSOLE_BYTES))
        failures = [each for each in console.failures if each.pcrs]
        if not failures:
            raise FormatError(
                "key.no-failure",
                f"expected a failure with its PCRs in this console, found {len(console.failures)} without",
                spec="docs/formats/console.md",
                remedy="A receipt in it is a document: `--document FILE` takes that.",
            )
    refused = [each for each in failures if each.code == _REFUSED]
    failure = (refused or failures)[-1]
    said = f"the agent's failure is {failure.code}" + (", which is not KMS's refusal" if not refused else "")
    which = Finding("key.console-failure", said, severity=Severity.NOTE if refused else Severity.WARNING)
    document = Document(NitroTpmPcrs(failure.pcrs))
    return replace(document, notices=(which, _CLAIMED))
