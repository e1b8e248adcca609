# SPDX-License-Identifier: Apache-2.0
"""Every behaviour of AWS that the twin assumes has its row, its evidence and a test that exists."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "twin.md"
ROW = re.compile(r"^\| (?P<behaviour>[^|]+) \| (?P<evidence>[^|]+) \| `(?P<test>test_\w+)` \|$", re.MULTILINE)
GRADES = ("documented", "measured", "genuine", "assumed", "chosen")


def test_each_row_names_its_evidence_and_a_test_that_exists():
    rows = list(ROW.finditer(PAGE.read_text()))
    sources = "\n".join(file.read_text() for file in HERE.rglob("test_*.py"))
    tests = set(re.findall(r"^def (test_\w+)", sources, re.MULTILINE))
    assert len(rows) >= 30
    for row in rows:
        assert row["evidence"].startswith(GRADES), row["behaviour"]
        assert row["test"] in tests, row["behaviour"]


def test_no_row_escapes_for_its_form():
    table = PAGE.read_text().partition("## What is assumed of AWS")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| behaviour")]
    assert len(lines) == len(list(ROW.finditer(table)))


def test_the_page_lists_the_operations_that_the_twin_knows(world):
    text = PAGE.read_text()
    images = world.twin.images
    ours = {
        "KMS": world.twin.kms._operations,
        "EBS": world.twin.ebs._operations,
        "EC2, on images and snapshots of its own": {*images._operations, *images._tagging, *images._lists},
    }
    for service, operations in ours.items():
        known = re.search(rf"^\| {service} \| (.+) \|$", text, re.MULTILINE)
        assert known
        assert known[1].split(", ") == sorted(operations)
