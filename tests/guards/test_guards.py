# SPDX-License-Identifier: Apache-2.0
"""Every guard of the security modules is missed when it is gone (how: deletion.py; which modules: modules.toml)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.guards import deletion

HERE = Path(__file__).parent


@pytest.mark.slow
@pytest.mark.parametrize("module", deletion.configuration())
def test_removing_any_guard_is_noticed(module):
    command = [sys.executable, str(HERE / "deletion.py"), module]
    run = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert run.returncode == 0, run.stderr[-2000:]
    report = next(r for r in map(json.loads, run.stdout.splitlines()) if r["module"] == module)
    argued = deletion.configuration()[module].get("survivors", {})
    assert report["guards"] > 0, "a security module without a guard: remove it from modules.toml"
    assert sorted(argued) == report["survivors"], "each survivor needs a test, or an argument in modules.toml"


def test_a_guard_is_found_wherever_it_stands(tmp_path):
    file = tmp_path / "m.py"
    file.write_text(
        "def f(x):\n"
        "    if x:\n        raise E('a.b', 'm')\n"
        "    try:\n        verify_it(x)\n    except K as k:\n        raise E('c.d', 'm') from k\n"
        "    match x:\n        case 1:\n            raise ValueError\n"
        "    y = verify_that(x)\n    return y\n"
    )
    names = [m.name for m in deletion.mutants(file, "m")]
    assert names == ["f: raise E a.b", "f: verify_it", "f: raise E c.d", "f: raise ValueError"]
    assert all("pass" in m.source for m in deletion.mutants(file, "m"))
