# SPDX-License-Identifier: Apache-2.0
"""The rules in the suite's README are enough: a verifier in another language, written from them, passes it.

It runs behind the README's own ten lines, which therefore work.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
from conformance.run import main
from tests.conformance.suite import HERE, ROOT, VECTORS

PAGE = ROOT / "docs/conformance.md"
VERIFIER = Path(__file__).parent / "nitrotpm_verifier.mjs"


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    node = shutil.which("node")
    assert node, "needs node: install the Debian package nodejs (tools/debian-packages; `make setup` does it)"
    folder = tmp_path_factory.mktemp("node")
    shutil.copy(VERIFIER, folder / "verifier.mjs")
    (adapter,) = re.findall(r"```js\n(.*?)```", (HERE / "README.md").read_text(), re.DOTALL)
    assert len(adapter.splitlines()) <= 10
    (folder / "adapter.mjs").write_text(adapter)
    return [node, str(folder / "adapter.mjs")]


@pytest.mark.slow
def test_a_verifier_in_another_language_passes_every_vector_with_its_class(command, capsys, tmp_path):
    report = tmp_path / "report.json"
    code = main(["--level", "class", "--serve", "--timeout", "60", "--json", str(report), "--", *command])
    assert code == 0, capsys.readouterr().out
    otherwise = json.loads(report.read_text())["failures"]
    assert all(failure["optional"] for failure in otherwise)
    optional = sum(vector.optional for vector in VECTORS)
    passes = f"It passes all {len(VECTORS) - optional} with their classes."
    differs = f"Of the {optional} optional ones it answers {len(otherwise)} otherwise."
    assert f"{passes} {differs}" in " ".join(PAGE.read_text().split())


def test_the_second_verifier_shares_nothing_with_the_first():
    assert re.findall(r'^import .* from "(.*)";$', VERIFIER.read_text(), re.MULTILINE) == ["node:crypto"]
