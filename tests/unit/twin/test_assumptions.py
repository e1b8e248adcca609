# SPDX-License-Identifier: Apache-2.0
"""Every behaviour of AWS that the twin assumes has its row, its evidence and a test that exists."""

import re
from pathlib import Path

import pytest
from conformance.aws.behaviours import load_behaviours

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "twin.md"
ROWS = load_behaviours()


def names_below(folder: Path) -> set[str]:
    sources = "\n".join(file.read_text() for file in folder.rglob("test_*.py"))
    return set(re.findall(r"^def (test_\w+)", sources, re.MULTILINE))


@pytest.mark.parametrize(("page", "folder"), [("twin", HERE), ("key-policy", HERE.parent), ("open", HERE.parent)])
def test_each_row_names_a_test_that_exists(page, folder):
    named = {row.test for row in ROWS if row.page == page and row.test}
    assert named
    assert named <= names_below(folder)


def test_there_are_as_many_rows_as_there_were():
    assert len([row for row in ROWS if row.page == "twin"]) >= 88


def test_the_page_lists_the_operations_that_the_twin_knows(world):
    text = PAGE.read_text()
    images, instances = world.twin.images, world.twin.ec2_instances
    ours = {
        "KMS": world.twin.kms._operations,
        "EBS": world.twin.ebs._operations,
        "EC2, on images and snapshots of its own": {*images._operations, *images._tagging, *images._lists},
        "EC2, on instances of its images": {
            *("DescribeInstances", "RunInstances"),
            *instances._about_one,
            *instances._about_many,
        },
    }
    for service, operations in ours.items():
        known = re.search(rf"^\| {service} \| (.+) \|$", text, re.MULTILINE)
        assert known
        assert known[1].split(", ") == sorted(operations)
