# SPDX-License-Identifier: Apache-2.0
"""The format page is enough: a reader in another language, written from it, agrees on every vector."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.vectors.loader import load_vectors
from tests.vectors.test_bundle_vectors import FOLDER, KEYS

READER = Path(__file__).parent / "bundle_reader.mjs"


@pytest.fixture(scope="module")
def answers():
    node = shutil.which("node")
    assert node, "needs node: install the Debian package nodejs (tools/debian-packages; `make setup` does it)"
    command = [node, str(READER), *map(str, sorted(FOLDER.glob("*.vector")))]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    found = map(json.loads, run.stdout.splitlines())
    return {Path(answer["file"]).stem: answer for answer in found}


@pytest.mark.parametrize("vector", load_vectors(FOLDER, KEYS), ids=lambda v: v.name)
def test_a_second_reader_gives_the_same_answer(vector, answers):
    answer = answers[vector.name]
    assert answer["result"] == vector.one("expect"), answer
    if answer["result"] == "success":
        assert answer["context"] == vector.one("context")
        assert answer["entries"] == vector.head.get("entry", [])
