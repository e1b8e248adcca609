# SPDX-License-Identifier: Apache-2.0
import json
import re
from pathlib import Path
from typing import Any

import pytest

from strongroom.errors import FormatError
from strongroom.formats.deny_list import MAX_DENY_LIST_BYTES, DenyList, parse_deny_list

INSTANCE = "i-0123456789abcdef0"
MODULE = f"{INSTANCE}-tpm0000000000000000"
DIGEST = "0f" * 32
WHOLE: dict[str, Any] = {
    "version": 1,
    "certificates": [{"sha256": DIGEST, "reason": "key leaked"}],
    "modules": [{"id": MODULE, "reason": "copied"}, {"id": MODULE.replace("tpm", "enc"), "reason": "copied too"}],
    "instances": [{"id": INSTANCE, "reason": "intrusion"}, {"id": "i-0123abcd", "reason": "an old id"}],
}


def parse(**changes):
    return parse_deny_list(json.dumps({k: v for k, v in (WHOLE | changes).items() if v is not ...}).encode())


def refused(**changes):
    with pytest.raises(FormatError) as caught:
        parse(**changes)
    return caught.value


def test_what_the_file_denies_is_read_with_its_reasons():
    found = parse()
    assert found.certificates == {bytes.fromhex(DIGEST): "key leaked"}
    assert found.modules == {MODULE: "copied", MODULE.replace("tpm", "enc"): "copied too"}
    assert found.instances == {INSTANCE: "intrusion", "i-0123abcd": "an old id"}
    assert len(found) == 5


def test_the_example_of_the_documentation_is_one():
    page = (Path(__file__).parents[3] / "docs/formats/deny-list.md").read_text()
    (example,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(parse_deny_list(example.encode())) == 3


def test_lists_may_be_left_out_or_empty():
    assert parse(certificates=..., modules=..., instances=...) == DenyList()
    assert parse(certificates=[], modules=[], instances=[]) == DenyList()
    assert not DenyList()


def test_two_lists_deny_what_either_does():
    one = parse(modules=..., instances=[{"id": INSTANCE, "reason": "the first"}])
    other = parse(certificates=...)
    both = one | other
    assert (len(both.certificates), len(both.modules), len(both.instances)) == (1, 2, 2)
    assert both.instances[INSTANCE] == "the first"
    assert (other | one).instances[INSTANCE] == "intrusion"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": ...}, "field.missing"),
        ({"version": 2}, "field.range"),
        ({"version": "1"}, "field.wrong-type"),
        ({"certificate": []}, "field.unknown"),
        ({"certificates": {}}, "field.wrong-type"),
        ({"certificates": None}, "field.wrong-type"),
        ({"certificates": [DIGEST]}, "field.wrong-type"),
        ({"certificates": [{"sha256": DIGEST}]}, "field.missing"),
        ({"certificates": [{"reason": "x"}]}, "field.missing"),
        ({"certificates": [{"sha256": DIGEST, "reason": "x", "until": 1}]}, "field.unknown"),
        ({"certificates": [{"sha256": DIGEST.upper(), "reason": "x"}]}, "field.pattern"),
        ({"certificates": [{"sha256": DIGEST[2:], "reason": "x"}]}, "field.pattern"),
        ({"certificates": [{"sha256": ":".join(["0f"] * 32), "reason": "x"}]}, "field.pattern"),
        ({"certificates": [{"sha256": DIGEST, "reason": ""}]}, "field.length"),
        ({"certificates": [{"sha256": DIGEST, "reason": "x" * 513}]}, "field.length"),
        ({"certificates": [{"sha256": DIGEST, "reason": "\x1b[2J"}]}, "field.control-character"),
        ({"certificates": [{"sha256": DIGEST, "reason": 1}]}, "field.wrong-type"),
        ({"certificates": WHOLE["certificates"] * 2}, "deny-list.duplicate"),
        ({"modules": [{"id": INSTANCE, "reason": "x"}]}, "field.pattern"),
        ({"modules": [{"id": MODULE + "0", "reason": "x"}]}, "field.pattern"),
        ({"modules": [{"id": MODULE.replace("tpm", "nsm"), "reason": "x"}]}, "field.pattern"),
        ({"modules": [WHOLE["modules"][0]] * 2}, "deny-list.duplicate"),
        ({"instances": [{"id": MODULE, "reason": "x"}]}, "field.pattern"),
        ({"instances": [{"id": "i-012345678", "reason": "x"}]}, "field.pattern"),
        ({"instances": [WHOLE["instances"][0]] * 2}, "deny-list.duplicate"),
    ],
)
def test_anything_unknown_or_misshapen_is_refused(changes, code):
    error = refused(**changes)
    assert error.code == code, error
    assert error.spec == "docs/formats/deny-list.md"


def test_an_error_names_the_place():
    assert "$.modules[1].id" in str(refused(modules=[WHOLE["modules"][0], {"id": "x", "reason": "x"}]))


@pytest.mark.attack("A9")
def test_a_key_that_stands_twice_is_refused():
    with pytest.raises(FormatError) as caught:
        parse_deny_list(b'{"version": 1, "modules": [], "modules": []}')
    assert caught.value.code == "json.duplicate-key"


@pytest.mark.attack("A10")
def test_large_lists_are_refused_and_long_ones_read():
    entries = [{"sha256": f"{n:064x}", "reason": "x"} for n in range(4097)]
    assert len(parse(certificates=entries[:4096])) == 4096 + 4
    assert refused(certificates=entries).code == "field.length"
    with pytest.raises(FormatError) as caught:
        parse_deny_list(b" " * (MAX_DENY_LIST_BYTES + 1))
    assert caught.value.code == "json.too-large"
