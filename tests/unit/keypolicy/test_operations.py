# SPDX-License-Identifier: Apache-2.0
"""The tables against AWS's own model of the KMS API (botocore): which operations there are, and what they take."""

import re

import botocore.session
import pytest

from strongroom.keypolicy.condition_keys import CONDITION_KEYS, canonical_name, find_condition_key
from strongroom.keypolicy.grants import GRANT_OPERATIONS
from strongroom.keypolicy.operations import OPERATIONS

SPLIT = {"ReEncrypt": ("ReEncryptFrom", "ReEncryptTo")}
"""Two permissions for one operation (KMS Developer Guide, "AWS KMS permissions")."""


@pytest.fixture(scope="module")
def model():
    return botocore.session.Session().get_service_model("kms")


def permissions(model):
    """Yield each operation of the API with its permissions."""
    for name in model.operation_names:
        yield model.operation_model(name), [OPERATIONS[f"kms:{each}"] for each in SPLIT.get(name, (name,))]


def test_every_operation_of_the_api_has_a_row_and_no_other(model):
    named = {row.name for _, rows in permissions(model) for row in rows}
    assert {f"kms:{name}" for name in named} == set(OPERATIONS)


def test_cross_account_use_is_what_the_api_says(model):
    for operation, rows in permissions(model):
        text = re.sub("<[^>]+>", "", operation.documentation)
        said = re.search(r"Cross-account use\s*:?\s*(\w+)", text)
        assert said, operation.name
        assert {row.cross_account for row in rows} == {said[1] == "Yes"}, operation.name


def test_documents_and_contexts_are_taken_where_the_api_takes_them(model):
    for operation, rows in permissions(model):
        members = operation.input_shape.members if operation.input_shape else {}
        contexts = {"EncryptionContext", "SourceEncryptionContext", "DestinationEncryptionContext"}
        assert {row.attested for row in rows} == {"Recipient" in members}, operation.name
        assert {row.takes_context for row in rows} == {bool(contexts & set(members))}, operation.name


def test_grants_allow_what_the_api_lets_them(model):
    assert frozenset(model.shape_for("GrantOperation").enum) == GRANT_OPERATIONS


def test_every_condition_key_is_found_in_any_case_and_spelled_as_aws_does():
    for name, row in CONDITION_KEYS.items():
        key = row.name + ("App" if row.is_prefix else "")
        for text in (key, key.lower(), key.upper()):
            assert find_condition_key(text) is row
        assert canonical_name(key.lower(), row) == row.name + ("app" if row.is_prefix else "")
        assert name == row.name.lower()
        assert row.operations <= set(OPERATIONS)
        assert row.operations
    for text in ("", "kms:", "kms:EncryptionContext:", "aws:PrincipalTag/", "aws:PrincipalTag", "kms:Unheard"):
        assert find_condition_key(text) is None
