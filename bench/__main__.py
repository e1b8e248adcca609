# SPDX-License-Identifier: Apache-2.0
"""`make bench`: how fast we are, against others and against what the machine allows, all in one run.

Nothing here passes or fails. docs/benchmarks.md says how to read it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.documents import Documents
from bench.kms_rows import kms_row
from bench.lint_rows import lint_rows
from bench.machine import describe_machine
from bench.policy_rows import policy_row
from bench.predict_rows import make_image, predict_rows
from bench.row import Row
from bench.table import as_json, as_text
from bench.tpm_rows import attestation_rows, peer_rows
from bench.verify_rows import chain_rows, genuine_row

_DOCUMENTS = 100
_REQUESTS = 2_000
_IMAGE_BYTES = 100_000_000
_SMALL_IMAGE_BYTES = 100_000
_CALLS = 100
_TPM_COMMANDS = 300
_ATTESTATIONS = 10
_ROUNDS = 15
_VECTORS = Path(__file__).parents[1] / "../shared/vectors"


def measure(rounds: int) -> Iterator[Row]:
    """Yield each row as it is measured."""
    yield from chain_rows(Documents.make(_DOCUMENTS), rounds)
    yield genuine_row(Path(os.environ.get("STRONGROOM_VECTORS", _VECTORS)), rounds)
    yield kms_row(make_image(_SMALL_IMAGE_BYTES), _CALLS, rounds)
    yield from predict_rows(make_image(_IMAGE_BYTES), rounds)
    yield policy_row(_REQUESTS, rounds)
    yield from lint_rows(rounds)
    yield from peer_rows(rounds, commands=_TPM_COMMANDS)
    yield from attestation_rows(rounds, attestations=_ATTESTATIONS)


def main() -> None:
    """Measure everything and print it."""
    parser = argparse.ArgumentParser(prog="make bench", description="Example: python -m bench --json")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"rounds to take the median of ({_ROUNDS})")
    options = parser.parse_args()
    machine, rows = describe_machine(), []
    for row in measure(options.rounds):
        sys.stderr.write(f"measured: {row.what}\n")
        rows.append(row)
    if options.json:
        sys.stdout.write(json.dumps(as_json(machine, rows, options.rounds), indent=2) + "\n")
    else:
        sys.stdout.write(as_text(machine, rows, options.rounds) + "\n")


if __name__ == "__main__":
    main()
