# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of the parsers of bundles and of KMS replies: FormatError, or a value that re-serialises."""

import subprocess
import sys
from pathlib import Path

import pytest

RUNS = 60_000
TARGETS = ("bundle", "escrow", "table", "cms", "ber")


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_a_fuzzed_parser_raises_format_errors_only(target, tmp_path):
    program = Path(__file__).parent / "fuzz_bundle.py"
    command = [sys.executable, str(program), target, str(tmp_path), str(RUNS)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    assert f"Done {RUNS}" in run.stderr, run.stderr[-3000:]
