# SPDX-License-Identifier: Apache-2.0
"""What docs/key-explain.md shows of its example is what the command prints."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/key-explain.md"


@pytest.mark.slow
def test_the_example_prints_what_the_page_shows(tmp_path):
    command, shown = re.findall(r"```(?:console|text)\n(.*?)```", PAGE.read_text(), re.DOTALL)[:2]
    lines = ["strongroom demo --keep kept", command.removeprefix("$ ").partition("  #")[0]]
    for line in lines:
        words = [sys.executable, "-m", *shlex.split(line)]
        run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 6
    assert run.stdout.startswith(shown)
    assert {line.split()[0] for line in run.stdout.removeprefix(shown).splitlines()} == {"note:", "WARNING"}
