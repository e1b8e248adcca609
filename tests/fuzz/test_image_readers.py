# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.boot.variables import signature_list
from tests.event_logs import RICH_BOOT
from tests.images import make_uki, with_certificates

from strongroom.formats.measurements import encode_measurements
from strongroom.measure.predict import measure_image

pytestmark = [pytest.mark.slow, pytest.mark.attack("B19")]

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("STRONGROOM_FUZZ_SECONDS", "3"))
IMAGE = with_certificates(make_uki(), b"signature")
SEEDS = {
    "pe": IMAGE,
    "uki": make_uki(),
    "efi": signature_list(b"certificate") * 2,
    "measurements": encode_measurements(measure_image(make_uki(), secure_boot=None)),
    "event-log": RICH_BOOT,
    "careless": b"MZ\0\0",
}


def fuzz(target: str, corpus: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("atheris", reason="atheris has no build for this machine (pyproject.toml names those it has)")
    (corpus / "seed").write_bytes(SEEDS[target])
    command = [sys.executable, "tests/fuzz/image_readers.py", target, f"-max_total_time={SECONDS}", "-max_len=8192"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/src"}
    options = ["-seed=1", f"-artifact_prefix={corpus}/", str(corpus)]
    return subprocess.run(
        [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("target", ["pe", "uki", "efi", "measurements", "event-log"])
def test_no_input_breaks_a_reader(target, tmp_path):
    run = fuzz(target, tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "DONE" in run.stderr or "Done" in run.stderr


def test_the_fuzzer_finds_a_careless_reader(tmp_path):
    run = fuzz("careless", tmp_path)
    assert run.returncode != 0
    assert "IndexError" in run.stdout + run.stderr
