# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.boot.variables import load_option, run_driver_first, secure_boot, signature_list, write_variables
from tests.uefi_blobs import LOADER, aws_blob, aws_body, option, order, packed
from tests.unit.formats.test_edk2_store import empty_store

pytestmark = [pytest.mark.slow, pytest.mark.attack("B19")]

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("STRONGROOM_FUZZ_SECONDS", "3"))
KEY = signature_list(b"certificate")
ROWS = [
    *secure_boot(pk=KEY, kek=KEY, db=KEY, dbx=KEY),
    *run_driver_first("\\EFI\\driver.efi"),
    option("Boot0000", load_option(LOADER, options="quiet")),
    order("BootOrder", 0),
]
SEEDS = {
    "efi-variables": [aws_body(ROWS), aws_body([])],
    "uefi-data": [aws_blob(ROWS), packed(aws_body(ROWS)), b'{"UefiData": "%s"}' % aws_blob([])],
    "load-option": [load_option(LOADER), load_option(LOADER, options="quiet")],
    "edk2-store": [write_variables(empty_store(), ROWS)],
}


@pytest.mark.parametrize("target", SEEDS)
def test_no_input_breaks_a_reader_of_variables(target, tmp_path):
    pytest.importorskip("atheris", reason="atheris has no build for this machine (pyproject.toml names those it has)")
    for number, seed in enumerate(SEEDS[target]):
        (tmp_path / f"seed-{number}").write_bytes(seed)
    command = [sys.executable, "tests/fuzz/uefi_readers.py", target, f"-max_total_time={SECONDS}", "-max_len=8192"]
    options = ["-seed=1", "-rss_limit_mb=512", "-timeout=5", f"-artifact_prefix={tmp_path}/", str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/src"}
    run = subprocess.run(
        [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr[-3000:]
    done = re.search(r"Done (\d+) runs", run.stderr)
    assert done, run.stderr[-1000:]
    assert int(done[1]) > 1000, "the fuzzer hardly ran"
