# SPDX-License-Identifier: Apache-2.0
"""Whatever comments and blank lines people put into a project, adding and removing leaves them where they are."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from strongroom.cli.project_file import ProjectFile
from strongroom.formats.project import parse_project

LINES = [
    "version = 1",
    "[product]",
    'id = "acme"',
    'regions = ["eu-central-1"]',
    "[targets.twin]",
    'profile = "rehearsal"',
    'vendor-account = "111111111111"',
    "[tenants.globex]",
    'accounts = ["222222222222"]',
    "[secrets.db]",
    'files = ["db"]',
]
REMARKS = st.lists(st.sampled_from(["", "# about the next", "   # indented", '# [tenants.no] = "x"']), max_size=3)


@st.composite
def texts(draw):
    """Return a project with remarks before, behind and between its lines, and the remarks in their order."""
    text, remarks = "", []
    for number, line in enumerate(LINES):
        before = draw(REMARKS)
        tail = draw(st.sampled_from(["", f"  # behind {number}"]))
        text += "".join(f"{remark}\n" for remark in before) + line + tail + "\n"
        remarks += [remark.strip() for remark in before if remark] + ([tail.strip()] if tail else [])
    return text, remarks


def comments(text: str) -> list[str]:
    return [line[line.index("#") :].strip() for line in text.splitlines() if "#" in line]


@given(texts())
def test_adding_moves_nothing_and_removing_what_was_added_restores_the_text(drawn):
    text, _ = drawn
    file = ProjectFile(Path("strongroom.toml"), text, parse_project(text))
    added = file.with_section(("tenants", "initech"), {"accounts": ["333333333333"]})
    assert added.text.startswith(text.rstrip())
    assert set(added.project.tenants) == {"globex", "initech"}
    restored = added.without_section(("tenants", "initech"))
    assert restored.text.rstrip() == text.rstrip()
    assert restored.project == file.project


@given(texts())
def test_removing_and_setting_keep_every_comment_outside_the_section(drawn):
    text, remarks = drawn
    file = ProjectFile(Path("strongroom.toml"), text, parse_project(text))
    set_value = file.with_value(("targets", "twin", "aws-profile"), "vendor")
    assert sorted(comments(set_value.text)) == sorted(remarks)
    removed = file.without_section(("tenants", "globex"))
    kept = text[: text.index("[tenants.globex]")]
    assert removed.text.startswith(kept.rstrip())
    assert comments(removed.text)[: len(comments(kept))] == comments(kept)
    behind = text[text.index('accounts = ["222222222222"]') :].partition("\n")[2]
    assert comments(removed.text)[len(comments(kept)) :] == comments(behind)


@given(texts())
def test_writing_the_arns_of_keys_keeps_every_comment_and_every_line(drawn):
    text, remarks = drawn
    file = ProjectFile(Path("strongroom.toml"), text, parse_project(text))
    arns = {region: f"arn:aws:kms:{region}:111111111111:key/1" for region in ("eu-central-1", "us-east-1")}
    for region, arn in arns.items():
        file = file.with_nested(("targets", "twin", "keys", "globex", region), arn)
    file = file.with_nested(("targets", "twin", "escrow-key"), arns["us-east-1"])
    assert file.project.targets["twin"].keys == {"globex": arns}
    assert file.project.targets["twin"].escrow_key == arns["us-east-1"]
    assert comments(file.text) == remarks
    lines = iter(file.text.splitlines())
    assert all(line in lines for line in text.splitlines() if line.strip())
