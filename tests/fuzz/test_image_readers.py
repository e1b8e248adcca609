# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.boot.variables import signature_list
from tests.disks import LINUX, Part, gpt_disk, partition
from tests.event_logs import RICH_BOOT
from tests.fat_volumes import make_fat
from tests.images import make_pe, make_uki, with_certificates

from strongroom.formats.measurements import encode_measurements
from strongroom.measure.predict import measure_image

pytestmark = [pytest.mark.slow, pytest.mark.attack("B19")]

ROOT = Path(__file__).parents[2]
SECONDS = int(os.environ.get("STRONGROOM_FUZZ_SECONDS", "3"))
IMAGE = with_certificates(make_uki(), b"signature")
VOLUME = make_fat(
    {"EFI": {"BOOT": {"BOOTX64.EFI": make_pe()}}, "a long name.txt": b"x"}, clusters=12, tables=1, root_entries=16
).data
SEEDS = {
    "pe": IMAGE,
    "uki": make_uki(),
    "efi": signature_list(b"certificate") * 2,
    "measurements": encode_measurements(measure_image(make_uki(), secure_boot=None)),
    "event-log": RICH_BOOT,
    "gpt": gpt_disk(Part(4, 9, "esp"), Part(10, 11, "root", LINUX), entries=4),
    "fat": VOLUME,
    "disk": gpt_disk(partition(VOLUME, first=3), entries=4),
    "careless": b"MZ\0\0",
}
MAX_BYTES = 16_384


def fuzz(target: str, corpus: Path) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("atheris", reason="atheris has no build for this machine (pyproject.toml names those it has)")
    (corpus / "seed").write_bytes(SEEDS[target])
    command = [
        sys.executable,
        "tests/fuzz/image_readers.py",
        target,
        f"-max_total_time={SECONDS}",
        f"-max_len={MAX_BYTES}",
    ]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/src"}
    options = ["-seed=1", f"-artifact_prefix={corpus}/", str(corpus)]
    return subprocess.run(
        [*command, *options], cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("target", ["pe", "uki", "efi", "measurements", "event-log", "gpt", "fat", "disk"])
def test_no_input_breaks_a_reader(target, tmp_path):
    run = fuzz(target, tmp_path)
    assert run.returncode == 0, run.stderr[-3000:]
    assert "DONE" in run.stderr or "Done" in run.stderr


def test_seeds_are_good_and_fit():
    from strongroom.formats.fat import parse_fat
    from strongroom.formats.gpt import parse_gpt
    from strongroom.measure.disk import boot_image

    assert max(map(len, SEEDS.values())) <= MAX_BYTES
    assert parse_fat(memoryview(SEEDS["fat"])).find(r"\EFI\BOOT\BOOTX64.EFI")
    assert len(parse_gpt(memoryview(SEEDS["gpt"])).partitions) == 2
    assert boot_image(memoryview(SEEDS["disk"])).image == make_pe()


def test_the_fuzzer_finds_a_careless_reader(tmp_path):
    run = fuzz("careless", tmp_path)
    assert run.returncode != 0
    assert "IndexError" in run.stdout + run.stderr
