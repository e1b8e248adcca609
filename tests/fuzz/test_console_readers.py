# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.nitro_pki import INSTANCE, MODULE, document

from strongroom.formats.console import encode_failure, encode_receipt
from strongroom.formats.console_failure import encode_failure_json
from strongroom.formats.console_model import ConsoleFailure
from strongroom.formats.pcrs import PcrDigests

pytestmark = [pytest.mark.slow, pytest.mark.attack("A10")]

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("STRONGROOM_FUZZ_SECONDS", "3"))
FAILURE = ConsoleFailure("kms.access-denied", "Ask the vendor.", PcrDigests.of({4: b"\x44" * 48, 12: bytes(48)}))
RECORDS = encode_failure(FAILURE) + encode_receipt(b"a document")
DENY_LIST = {
    "version": 1,
    "certificates": [{"sha256": "0f" * 32, "reason": "key leaked"}],
    "modules": [{"id": MODULE, "reason": "copied"}],
    "instances": [{"id": INSTANCE, "reason": "intrusion"}],
}
SEEDS = {
    "console": [
        b"[    0.000000] Linux\r\n\x1b[0m" + RECORDS,
        json.dumps({"InstanceId": INSTANCE, "Output": RECORDS.decode()}).encode(),
        INSTANCE.encode() + b"\t" + RECORDS[:90] + b"[    1.000000] kernel\r\n" + RECORDS[90:],
        document(),
    ],
    "failure": [encode_failure_json(FAILURE)],
    "deny-list": [json.dumps(DENY_LIST).encode()],
    "careless": [b"1/\0"],
}


def fuzz(target: str, corpus: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("atheris", reason="atheris has no build for this machine (pyproject.toml names those it has)")
    for number, seed in enumerate(SEEDS[target]):
        (corpus / f"seed-{number}").write_bytes(seed)
    command = [sys.executable, "tests/fuzz/console_readers.py", target, f"-max_total_time={SECONDS}", "-max_len=8192"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/src"}
    options = ["-seed=1", "-rss_limit_mb=512", "-timeout=5", f"-artifact_prefix={corpus}/", str(corpus)]
    return subprocess.run(
        [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("target", ["console", "failure", "deny-list"])
def test_no_input_breaks_a_reader(target, tmp_path):
    run = fuzz(target, tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "DONE" in run.stderr or "Done" in run.stderr


def test_the_fuzzer_finds_a_careless_reader(tmp_path):
    run = fuzz("careless", tmp_path)
    assert run.returncode != 0
    assert "IndexError" in run.stdout + run.stderr
