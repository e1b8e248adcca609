# SPDX-License-Identifier: Apache-2.0
"""`strongroom tpm seal`: a secret that this TPM gives out in one boot state only."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console

from strongroom.agent.process import forbid_core_dumps
from strongroom.appraisal.policy import AppraisalPolicy, UnsafePartialPolicy
from strongroom.cli.findings import finding_members, flag_lines
from strongroom.cli.output import emit, error_console, json_option, print_line
from strongroom.cli.paths import PATH
from strongroom.cli.pcr_list import read_pcr_list
from strongroom.cli.pcr_output import pcr_members
from strongroom.cli.policy_file import read_measurements_file
from strongroom.cli.tpm_device import this_tpm
from strongroom.errors import UsageError
from strongroom.flows.files import PUBLIC_MODE, read_file, write_file
from strongroom.flows.tpm_sealing import seal_for_boot_state
from strongroom.formats.pcrs import GATES, PcrDigests, PcrIndex
from strongroom.formats.sealed import (
    MAX_SECRET_BYTES,
    SealedSecret,
    encode_sealed,
)
from strongroom.tpm.connection import Connection
from strongroom.tpm.pcrs import read_pcrs
from strongroom.tpm.sealing import BANK


@click.command("seal")
@click.argument("secret", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="Write the sealed secret to this file.")
@click.option("--measurements", type=PATH, help="Seal for what this file says, instead of what the PCRs hold now.")
@click.option("--pcrs", "listed", metavar="LIST", help="Other PCRs than 2,4,7,12,13, with commas.")
@click.option("--allow-partial", is_flag=True, help="Accept less than the gate set (PCR 2, 4, 12, 13).")
@json_option
def command(
    *,
    secret: Path,
    output: Path,
    measurements: Path | None,
    listed: str | None,
    allow_partial: bool,
    as_json: bool,
) -> None:
    """Seal the file SECRET, of 1 to 128 bytes, for a boot state of this machine.

    The TPM gives it back while PCR 2, 4, 7, 12 and 13 of the SHA-384 bank hold what they hold now; with --measurements,
    what an image will measure (PCR 7 only if its Secure Boot is on). A pipe may stand for SECRET: /dev/stdin.

    It lasts as long as this TPM, which an instance may lose: keep another copy. It has no sender: whoever can use the
    TPM can seal another secret in its place.

    \b
    Example:  strongroom tpm seal key.bin -o key.sealed
              strongroom tpm seal key.bin --measurements next.json -o next.sealed
    """
    forbid_core_dumps()
    _expect_new(output)
    content = read_file(secret, maximum_bytes=MAX_SECRET_BYTES)
    wanted = None if listed is None else read_pcr_list(listed)
    predicted = None if measurements is None else _predicted(measurements, wanted)
    strength = UnsafePartialPolicy if allow_partial else AppraisalPolicy
    with this_tpm() as tpm:
        connection = Connection(tpm)
        pcrs = predicted if predicted is not None else read_pcrs(connection, BANK, wanted or GATES)
        sealed, flags = seal_for_boot_state(connection, content, pcrs, strength=strength)
    write_file(output, encode_sealed(sealed), mode=PUBLIC_MODE)
    emit(
        {
            "written": str(output),
            "pcrs": pcr_members(sealed.pcrs),
            "findings": [finding_members(flag) for flag in flags],
        },
        as_json=as_json,
        human=lambda console: _print(console, output, sealed),
    )
    for line in flag_lines(flags):
        error_console().print(line, markup=False)


def _expect_new(path: Path) -> None:
    """Raise UsageError where something is there: a sealed file may be the only copy of what is in it."""
    if os.path.lexists(path):  # False, where `exists` would raise, for a folder that we may not enter
        raise UsageError(
            "tpm.sealed-exists",
            f"expected no file at {path} yet: it may be the only copy of a secret",
            remedy="Name another file, or move this one away.",
        )


def _predicted(path: Path, wanted: tuple[PcrIndex, ...] | None) -> PcrDigests:
    measurements = read_measurements_file(path)
    chosen = measurements.gates if wanted is None else wanted
    for index in chosen:
        if index not in measurements.pcrs:
            raise UsageError("tpm.pcr-not-measured", f"expected PCR{index} in {path}, found none")
    return PcrDigests.of({index: measurements.pcrs[index] for index in chosen})


def _print(console: Console, output: Path, sealed: SealedSecret) -> None:
    indices = ", ".join(str(index) for index in sealed.pcrs)
    print_line(console, f"Sealed for PCR {indices} of this TPM, written to {output}")
