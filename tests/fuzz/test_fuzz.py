# SPDX-License-Identifier: Apache-2.0
"""A bounded coverage-guided run of every parser: nothing but a named refusal may come out (how: fuzz_parsers.py)."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fuzz.seeds import seeds

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SECONDS = int(os.environ.get("STRONGROOM_FUZZ_SECONDS", "3"))
MAX_BYTES = 20_000
PARSERS = re.findall(r'^    "([a-z0-9-]+)": ', (HERE / "fuzz_parsers.py").read_text(), re.MULTILINE)


def test_there_are_parsers_to_fuzz():
    assert len(PARSERS) == 10


@pytest.mark.parametrize("parser", PARSERS)
def test_every_parser_has_seeds(parser):
    assert seeds(parser)
    assert all(0 < len(seed) <= MAX_BYTES for seed in seeds(parser))


@pytest.mark.slow
@pytest.mark.attack("A10")
@pytest.mark.parametrize("parser", PARSERS)
def test_fuzzing_finds_nothing(parser, tmp_path):
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is absent: it exists for Linux on x86_64 and Python up to 3.13 (docs/dependencies.md)")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds(parser)):
        (corpus / f"seed-{number}").write_bytes(seed)
    command = [sys.executable, str(HERE / "fuzz_parsers.py"), parser, str(corpus)]
    command += [f"-max_total_time={SECONDS}", f"-max_len={MAX_BYTES}", "-rss_limit_mb=512", "-timeout=5"]
    command += [f"-artifact_prefix={tmp_path}/"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=SECONDS + 120)
    assert run.returncode == 0, run.stderr[-3000:]
    done = re.search(r"Done (\d+) runs", run.stderr)
    assert done, run.stderr[-1000:]
    assert int(done[1]) > 1000, "the fuzzer hardly ran"
