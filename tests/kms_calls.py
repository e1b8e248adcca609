# SPDX-License-Identifier: Apache-2.0
"""Calls to the twin's KMS without HTTP and signatures, each held against botocore's own model of the service.

Requests are written by botocore's serializer, replies and errors read by its parser. A reply has only members that the
model has, each of its type, length, pattern and enumeration; an error is one that the operation declares, or one of
`COMMON` (KMS API Reference, "Common Errors"). Without signatures the twin's clock can be anywhere.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.session import get_session
from botocore.validate import ParamValidator

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.ids import AccountId, Region
from strongroom.twin.accounts import Credentials, Directory, PrincipalKind
from strongroom.twin.clock import OffsetClock
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.service import TARGET, Kms
from strongroom.twin.kms.store import Keeper
from strongroom.twin.machine import DEFAULT_REGION
from strongroom.twin.refusals import JSON_MIMETYPE, Wire, refuse
from strongroom.twin.sigv4 import AuthenticCall, Scope, SignedCall

MODEL = get_session().get_service_model("kms")
COMMON = {"AccessDeniedException", "SerializationException", "UnknownOperationException", "ValidationException"}
SEALED = {"Plaintext", "PrivateKeyPlaintext", "SharedSecret"}
"""Empty where there is a CiphertextForRecipient (KMS API Reference: "null or empty"), whatever the model says."""
VENDOR, CUSTOMER = "111111111111", "222222222222"
_SERIALIZER, _PARSER = create_serializer("json", include_validation=False), create_parser("json")


class Cloud:
    """A KMS by itself, with two accounts and a clock that tests move."""

    def __init__(self, keeper: Keeper | None = None) -> None:
        self.clock = OffsetClock()
        self.directory = Directory()
        for account in (VENDOR, CUSTOMER):
            self.directory.create_account(account, name=account)
        nobody = NitroRoots(frozenset({bytes(32)}))
        self.kms = Kms(self.directory, roots=nobody, clock=self.clock, keeper=keeper)

    def user(self, account: str, name: str, *policies: str) -> Caller:
        """A new user of an account; without policies he may do what key policies and grants let him, and no more."""
        user = self.directory.create_principal(AccountId(account), PrincipalKind.USER, name, policies=policies)
        return Caller(self.kms, self.directory.add_key(user))

    def pass_time(self, **time: float) -> None:
        """Let days, hours or minutes go by."""
        self.clock.offset += timedelta(**time)


class Caller:
    """One principal who calls one KMS in one region; `answered` counts the replies that came."""

    def __init__(self, kms: Kms, credentials: Credentials, region: str = DEFAULT_REGION) -> None:
        self._kms = kms
        self._credentials = credentials
        self._region = region
        self.answered: set[str] = set()

    @property
    def arn(self) -> str:
        """The user's or role's ARN."""
        return self._credentials.principal.arn

    def refused(self, code: str, operation: str, **parameters) -> str:
        """Call, expect the error, and return its message."""
        with pytest.raises(AwsFault) as caught:
            self(operation, **parameters)
        assert caught.value.name == code, caught.value
        return caught.value.message

    def new_key(self, **parameters) -> str:
        """Make a key; return its ARN."""
        arn: str = self("CreateKey", **parameters)["KeyMetadata"]["Arn"]
        return arn

    def __call__(self, operation: str, **parameters):
        """Call an operation by AWS's name; return the parsed reply, or raise the AwsFault."""
        model = MODEL.operation_model(operation)
        body = _SERIALIZER.serialize_to_request(parameters, model)["body"]
        headers = {"x-amz-target": TARGET + operation, "user-agent": "tests", "content-type": JSON_MIMETYPE}
        call = SignedCall("POST", "/", "", headers, body)
        scope = Scope("20260101", Region(self._region), "kms")
        try:
            reply = self._kms.answer(AuthenticCall(self._credentials, scope, call))
        except AwsFault as fault:
            expect_declared(operation, fault)
            raise
        self.answered.add(operation)
        return expect_shape(operation, reply.get_data())


def expect_declared(operation: str, fault: AwsFault) -> None:
    """Require that an operation may answer with this error, and that clients read it."""
    declared = {shape.name for shape in MODEL.operation_model(operation).error_shapes}
    assert fault.name in declared | COMMON, f"{operation} declares no {fault.name}"
    response = refuse(Wire.JSON, fault)
    read = _parsed(response.status_code, dict(response.headers), response.get_data(), operation)["Error"]
    assert read["Code"] == fault.name
    assert read["Message"] == fault.message


def expect_shape(operation: str, body: bytes):
    """Require that a reply's body has the shape of the operation's output; return it as boto3 would."""
    shape = MODEL.operation_model(operation).output_shape
    if shape is None:
        assert body == b"", "an operation without output has an empty reply"
        return {}
    raw = json.loads(body)
    expect_known(shape, raw)
    parsed = _parsed(200, {}, body, operation)
    parsed.pop("ResponseMetadata")
    sealed = SEALED if "CiphertextForRecipient" in parsed else set()
    report = ParamValidator().validate({name: each for name, each in parsed.items() if name not in sealed}, shape)
    assert not report.has_errors(), report.generate_report()
    for name, each in parsed.items():
        if name in sealed:
            assert each == b""
        else:
            expect_value(shape.members[name], each)
    return parsed


def expect_known(shape, raw) -> None:
    """Require that a reply has no member that the model has not."""
    if shape.type_name == "structure":
        assert set(raw) <= set(shape.members), f"{shape.name} has no {set(raw) - set(shape.members)}"
        for name, each in raw.items():
            expect_known(shape.members[name], each)
    elif shape.type_name == "list":
        for each in raw:
            expect_known(shape.member, each)


def expect_value(shape, value) -> None:
    """Require what ParamValidator leaves out: largest lengths, patterns, enumerations."""
    if shape.type_name == "structure":
        for name, each in value.items():
            expect_value(shape.members[name], each)
    elif shape.type_name == "list":
        for each in value:
            expect_value(shape.member, each)
    elif shape.type_name == "string":
        assert value in shape.enum if shape.enum else True, f"{value} is no {shape.name}"
        pattern = shape.metadata.get("pattern")
        assert re.fullmatch(pattern, value) if pattern else True, (shape.name, value)
    largest = shape.metadata.get("max")
    if largest is not None:
        assert (value if shape.type_name == "integer" else len(value)) <= largest, (shape.name, value)


def _parsed(status: int, headers: dict[str, str], body: bytes, operation: str):
    response = {"status_code": status, "headers": headers, "body": body}
    return _PARSER.parse(response, MODEL.operation_model(operation).output_shape)
