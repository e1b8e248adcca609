# SPDX-License-Identifier: Apache-2.0
"""`strongroom tpm pcrs`: what this machine's PCRs hold, in words, and as a baseline that nobody vouches for."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console

from strongroom.cli.findings import finding_members, flag_lines
from strongroom.cli.output import emit, error_console, json_option, print_line
from strongroom.cli.paths import PATH
from strongroom.cli.pcr_output import pcr_members
from strongroom.cli.tpm_bank import bank_option
from strongroom.cli.tpm_device import this_tpm
from strongroom.errors import Finding, FormatError, Severity, TpmFault, UsageError
from strongroom.flows.files import PUBLIC_MODE, write_file
from strongroom.formats.measurements import Measurements, encode_measurements
from strongroom.formats.pcr_meanings import pcr_sentence
from strongroom.formats.pcrs import GATES, PcrDigests
from strongroom.formats.tpm.algorithms import Alg
from strongroom.tpm.connection import Connection
from strongroom.tpm.pcrs import read_pcrs

BANKS = {name: Alg[name] for name in ("SHA1", "SHA256", "SHA384", "SHA512")}
_FIRST_USE = Finding(
    "tpm.first-use",
    "this file says what the machine runs now, NOT WHAT IT SHOULD RUN: whoever tampered with it before is in the file. "
    "Predict measurements from the image (`strongroom measure`) wherever you have it",
    severity=Severity.WARNING,
)


@click.command("pcrs")
@bank_option(BANKS)
@click.option("--measurements", type=PATH, help="Write PCR 2, 4, 7, 12 and 13 to this new file, as a baseline.")
@json_option
def command(*, bank: str, measurements: Path | None, as_json: bool) -> None:
    """Print the PCRs of this machine's TPM, each with a sentence about what it stands for.

    With --measurements, what they hold now becomes a measurements file. That is trust on first use: it says nothing
    about whether the machine was good then. Values are read from the TPM without a signature, so they are for this
    machine's own eyes; to convince others, use `strongroom tpm attest`.

    \b
    Example:  strongroom tpm pcrs
              strongroom tpm pcrs --measurements baseline.json
    """
    if measurements is not None:
        _expect_baseline(bank, measurements)
    with this_tpm() as tpm:
        pcrs = read_pcrs(Connection(tpm), BANKS[bank])
    findings = []
    if measurements is not None:
        write_file(measurements, _baseline(pcrs), mode=PUBLIC_MODE)
        findings.append(_FIRST_USE)
    emit(
        {
            "bank": bank,
            "pcrs": pcr_members(pcrs),
            "findings": [finding_members(finding) for finding in findings],
            "written": None if measurements is None else str(measurements),
        },
        as_json=as_json,
        human=lambda console: _print(console, pcrs, measurements),
    )
    for line in flag_lines(findings):
        error_console().print(line, markup=False)


def _expect_baseline(bank: str, path: Path) -> None:
    if BANKS[bank] is not Alg.SHA384:
        raise UsageError("tpm.baseline-bank", f"expected the bank SHA384 with --measurements, found {bank}")
    if os.path.lexists(path):  # False, where `exists` would raise, for a folder that we may not enter
        raise UsageError(
            "tpm.baseline-exists",
            f"expected no file at {path} yet: a baseline is recorded once",
            remedy="Compare with it, or move it away if the machine was changed on purpose.",
        )


def _baseline(pcrs: PcrDigests) -> bytes:
    """Return the gate set as a measurements file. PCR 11 grows as the machine boots, so it is no part of it."""
    try:
        return encode_measurements(Measurements(PcrDigests.of({index: pcrs[index] for index in GATES})))
    except FormatError as error:
        raise TpmFault(
            "tpm.not-measured",
            error.message,
            remedy="Firmware measures a boot through UEFI. What this machine booted cannot be told from its TPM.",
        ) from error


def _print(console: Console, pcrs: PcrDigests, written: Path | None) -> None:
    for index, digest in pcrs.items():
        console.print(f"PCR{index:<3} {digest.hex()}\n       {pcr_sentence(index, digest)}.", markup=False)
    if written is not None:
        print_line(console, f"Written to {written}")
