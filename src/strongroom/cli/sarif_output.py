# SPDX-License-Identifier: Apache-2.0
"""What commands with `--sarif` share: where relative paths begin, an error as a finding, and the printed log."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from strongroom.cli.sarif import SarifRun, sarif_log
from strongroom.errors import Finding, StrongroomError


def working_folder() -> Path | None:
    """Return the folder in which the command runs; None where somebody has removed it."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def error_finding(error: StrongroomError) -> Finding:
    """Return an error as a finding, with its remedy."""
    return Finding(error.code, f"{error}. {error.remedy}" if error.remedy else str(error))


def print_sarif(run: SarifRun) -> int:
    """Print the log of a run on stdout. Return its exit code."""
    sys.stdout.write(json.dumps(sarif_log(run), indent=2) + "\n")
    return run.exit_code
