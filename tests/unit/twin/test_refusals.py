# SPDX-License-Identifier: Apache-2.0
"""What the twin refuses beside the policies' decisions, each on the one ground that is left to refuse it."""

import base64
import json

import pytest
from botocore.exceptions import ClientError
from tests.twin_world import CONTEXT, VENDOR

from strongroom.errors import FormatError, UsageError
from strongroom.twin.accounts import Directory
from strongroom.twin.accounts_file import read_accounts
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.parameters import MAX_CONTEXT_PAIRS, Parameters

ACCOUNTS = """
[[account]]
id = "111111111111"

[[account.user]]
name = "release"
access_key_id = "AKIAEXAMPLERELEASE00"
secret_access_key = "example"

[[account.role]]
name = "app"
"""


def refused(code, call, **parameters):
    """Call, expect the error, and return its message."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code
    return caught.value.response["Error"]["Message"]


def fault(members, read):
    with pytest.raises(AwsFault) as caught:
        read(Parameters(members))
    return caught.value.name


# --- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "12345"])
def test_a_text_has_its_length(text):
    assert fault({"Name": text}, lambda found: found.text("Name", maximum=4)) == "ValidationException"


@pytest.mark.parametrize("value", ["x", [1], [{}, {}, {}]])
def test_structures_come_in_a_list_that_is_not_too_long(value):
    assert fault({"Tags": value}, lambda found: found.structures("Tags", maximum=2)) == "ValidationException"


def test_a_blob_has_its_length_in_bytes():
    four, five = (base64.b64encode(bytes(size)).decode() for size in (4, 5))
    assert Parameters({"Blob": four}).blob("Blob", maximum_bytes=4) == bytes(4)
    assert fault({"Blob": five}, lambda found: found.blob("Blob", maximum_bytes=4)) == "ValidationException"


@pytest.mark.parametrize(
    "context",
    [["a"], "a", {"a": 1}, {"": "a"}, {str(number): "x" for number in range(MAX_CONTEXT_PAIRS + 1)}],
    ids=["list", "text", "number", "nameless", "many"],
)
def test_an_encryption_context_is_a_map_of_texts(context):
    assert fault({"EncryptionContext": context}, Parameters.context) == "ValidationException"


def test_context_keys_that_differ_by_case_only_are_refused(world):
    kms = world.kms(world.vendor)
    context = CONTEXT | {name.upper(): value for name, value in CONTEXT.items()}
    refused("ValidationException", kms.encrypt, KeyId=world.key_arn, Plaintext=b"x", EncryptionContext=context)


def test_operations_that_the_twin_has_not_are_named_with_those_that_it_has(world):
    message = refused("UnknownOperationException", world.kms(world.vendor).describe_custom_key_stores)
    assert "'DescribeCustomKeyStores'. It knows CancelKeyDeletion, CreateAlias" in message


@pytest.mark.parametrize("operation", ["encrypt", "decrypt"])
def test_keys_are_symmetric(world, operation):
    call = {"encrypt": {"Plaintext": b"x"}, "decrypt": {"CiphertextBlob": world.blob}}[operation]
    method = getattr(world.kms(world.vendor), operation)
    key = world.kms(world.vendor).create_key()["KeyMetadata"]["Arn"]
    refused("InvalidKeyUsageException", method, KeyId=key, EncryptionAlgorithm="RSAES_OAEP_SHA_256", **call)


# --- keys and aliases -------------------------------------------------------------------------------------------------


def test_an_alias_is_given_by_whom_the_key_allows(world):
    call = {"AliasName": "alias/taken", "TargetKeyId": world.key_arn}
    refused("AccessDeniedException", world.kms(world.customer).create_alias, **call)
    refused("NotFoundException", world.kms(world.vendor).describe_key, KeyId="alias/taken")


def test_an_alias_that_nobody_made_is_named(world):
    message = refused("NotFoundException", world.kms(world.vendor).describe_key, KeyId="alias/nobody")
    assert message.startswith("Alias arn:aws:kms:")


def test_a_key_has_one_policy_called_default(world):
    kms = world.kms(world.vendor)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    statement = {"Effect": "Allow", "Principal": {"AWS": VENDOR}, "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    before = kms.get_key_policy(KeyId=key)["Policy"]
    refused("NotFoundException", kms.put_key_policy, KeyId=key, PolicyName="other", Policy=policy)
    refused("NotFoundException", kms.get_key_policy, KeyId=key, PolicyName="other")
    assert kms.get_key_policy(KeyId=key)["Policy"] == before


# --- accounts ---------------------------------------------------------------------------------------------------------


def test_an_account_is_made_once():
    directory = Directory()
    directory.create_account("111111111111", name="")
    with pytest.raises(UsageError) as caught:
        directory.create_account("111111111111", name="another")
    assert caught.value.code == "twin.account-exists"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[account]]", "surprise = 1\n[[account]]"),
        ('id = "111111111111"', 'id = "111111111111"\nsurprise = 1'),
        ('name = "release"', 'name = "release"\nsurprise = 1'),
        ('name = "app"', 'name = "app"\nsurprise = 1'),
        ('name = "app"', ""),
    ],
)
def test_a_file_of_accounts_holds_known_words_only(old, new):
    assert read_accounts(ACCOUNTS.encode())
    assert old in ACCOUNTS
    with pytest.raises(FormatError) as caught:
        read_accounts(ACCOUNTS.replace(old, new).encode())
    assert caught.value.code == "twin.accounts"
