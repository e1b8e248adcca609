# SPDX-License-Identifier: Apache-2.0
"""Calls to the twin's EBS direct APIs without HTTP and signatures, each held against botocore's own model (kms_calls).

Requests are written by botocore's serializer, replies and errors read by its parser. Without signatures the twin's
clock can be anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from botocore.session import get_session
from botocore.validate import ParamValidator
from tests.kms_calls import Cloud, expect_known, expect_value

from strongroom.ids import AccountId, Region
from strongroom.twin.accounts import FULL_ACCESS, Credentials, PrincipalKind
from strongroom.twin.api_model import output_of
from strongroom.twin.ebs.keeper import StateKeeper
from strongroom.twin.ebs.service import Ebs
from strongroom.twin.fault import AwsFault
from strongroom.twin.machine import DEFAULT_REGION
from strongroom.twin.refusals import Wire, refuse
from strongroom.twin.sigv4 import AuthenticCall, Scope, SignedCall
from strongroom.twin.state_file import StateFile

MODEL = get_session().get_service_model("ebs")
COMMON = {"SerializationException", "UnknownOperationException"}
BLOCK = 524_288
_SERIALIZER, _PARSER = create_serializer("rest-json", include_validation=False), create_parser("rest-json")


def block(text: str) -> bytes:
    """A block that nobody would mistake for another."""
    return hashlib.shake_128(text.encode()).digest(BLOCK)


def checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def aggregate(blocks: Mapping[int, bytes]) -> str:
    """The LINEAR checksum, by the words of the API Reference."""
    return checksum(b"".join(hashlib.sha256(data).digest() for _, data in sorted(blocks.items())))


class Refused(Exception):  # noqa: N818 -- it is an answer
    """An error reply as boto3 reads it."""

    def __init__(self, parsed, status: int) -> None:
        super().__init__(f"{status} {parsed}")
        self.name = parsed["Error"]["Code"]
        self.message: str = parsed["Error"]["Message"]
        self.reason = parsed.get("Reason", "")
        self.status = status


class Storage(Cloud):
    """KMS and EBS by themselves, with two accounts and a clock that tests move."""

    def __init__(self, file: StateFile | None = None) -> None:
        super().__init__()
        self.ebs = Ebs(self.kms.expect_use, clock=self.clock, keeper=StateKeeper(file) if file else None)

    def uploader(self, account: str, name: str = "uploader", *policies: str) -> Uploader:
        """A user of an account who may do everything, or what the policies say."""
        user = self.directory.create_principal(
            AccountId(account), PrincipalKind.USER, name, policies=policies or (FULL_ACCESS,)
        )
        return Uploader(self, self.directory.add_key(user))


class Uploader:
    """One principal who calls EBS in one Region; `answered` counts the replies that came."""

    def __init__(self, storage: Storage, credentials: Credentials, region: str = DEFAULT_REGION) -> None:
        self.storage = storage
        self.credentials = credentials
        self.region = region
        self.answered: set[str] = set()

    def at(self, region: str) -> Uploader:
        """The same in another Region."""
        return Uploader(self.storage, self.credentials, region)

    def __call__(self, operation: str, **parameters):
        """Call an operation by AWS's name; return the parsed reply, or raise Refused."""
        model = MODEL.operation_model(operation)
        written = _SERIALIZER.serialize_to_request(parameters, model)
        response = self.send(
            written["method"],
            written["url_path"],
            urlencode(written["query_string"]),
            {name.lower(): str(value) for name, value in written["headers"].items()},
            written["body"] or b"",
        )
        parsed = _read(operation, response)
        self.answered.add(operation)
        return parsed

    def send(self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes):
        """Send a request that no serializer would write; return the reply as it is."""
        scope = Scope("20260101", Region(self.region), "ebs")
        call = SignedCall(method, path, query, headers, body)
        try:
            return self.storage.ebs.answer(AuthenticCall(self.credentials, scope, call))
        except AwsFault as fault:
            return refuse(Wire.REST_JSON, fault)

    def start(self, **parameters) -> str:
        """Start a snapshot of one GiB; return its id."""
        found: str = self("StartSnapshot", **{"VolumeSize": 1, **parameters})["SnapshotId"]
        return found

    def put(self, snapshot: str, index: int, data: bytes, **changes):
        call = {"DataLength": len(data), "Checksum": checksum(data), "ChecksumAlgorithm": "SHA256", **changes}
        return self("PutSnapshotBlock", SnapshotId=snapshot, BlockIndex=index, BlockData=data, **call)

    def complete(self, snapshot: str, blocks: Mapping[int, bytes], **changes):
        linear = {"ChecksumAlgorithm": "SHA256", "ChecksumAggregationMethod": "LINEAR"}
        call = {"ChangedBlocksCount": len(blocks), "Checksum": aggregate(blocks), **linear, **changes}
        return self("CompleteSnapshot", SnapshotId=snapshot, **call)

    def upload(self, blocks: Mapping[int, bytes], **parameters) -> str:
        """Make a completed snapshot; return its id."""
        snapshot = self.start(**parameters)
        for index, data in blocks.items():
            self.put(snapshot, index, data)
        self.complete(snapshot, blocks)
        return snapshot

    def tokens(self, snapshot: str, **parameters) -> dict[int, str]:
        """All blocks of a snapshot with their tokens, page by page."""
        return {each["BlockIndex"]: each["BlockToken"] for each in self.pages("Blocks", SnapshotId=snapshot)}

    def pages(self, member: str, **parameters) -> Iterator[dict[str, Any]]:
        operation, more = ("ListSnapshotBlocks" if member == "Blocks" else "ListChangedBlocks"), True
        while more:
            page = self(operation, **parameters)
            yield from page[member]
            more = "NextToken" in page
            parameters["NextToken"] = page.get("NextToken")

    def download(self, snapshot: str) -> dict[int, bytes]:
        """Read all blocks of a snapshot, each checked against its checksum."""
        found = {}
        for index, token in self.tokens(snapshot).items():
            reply = self("GetSnapshotBlock", SnapshotId=snapshot, BlockIndex=index, BlockToken=token)
            assert reply["Checksum"] == checksum(reply["BlockData"])
            found[index] = reply["BlockData"]
        return found

    def refused(self, code: str, reason: str, operation: str, **parameters) -> str:
        """Call, expect the error, and return its message."""
        try:
            self(operation, **parameters)
        except Refused as refusal:
            assert (refusal.name, refusal.reason) == (code, reason), refusal
            return refusal.message
        raise AssertionError(f"{operation} was answered")


def _read(operation: str, response):
    """Require that a reply or an error has the shape of the model; return it as boto3 would."""
    model = MODEL.operation_model(operation)
    data = response.get_data()
    raw = {"status_code": response.status_code, "headers": HeadersDict(dict(response.headers)), "body": data}
    if response.status_code >= 300:
        raise _refused(model, raw)
    assert response.status_code == model.http.get("responseCode", 200)
    shape = output_of(model)
    if not model.has_streaming_output:
        expect_known(shape, json.loads(data))
    else:
        raw["body"] = io.BytesIO(data)
    parsed = _PARSER.parse(raw, shape)
    if model.has_streaming_output:
        parsed["BlockData"] = parsed["BlockData"].read()
    parsed.pop("ResponseMetadata")
    members = {name: each for name, each in parsed.items() if name != "BlockData"}
    report = ParamValidator().validate(members, shape)
    assert not report.has_errors(), report.generate_report()
    for name, each in members.items():
        if shape.members[name].type_name != "timestamp":
            expect_value(shape.members[name], each)
    return parsed


def _refused(model, raw) -> Refused:
    """Require that an operation may answer with this error, under its status and with a reason of its list."""
    refusal = Refused({**json.loads(raw["body"]), **_PARSER.parse(raw, None)}, raw["status_code"])
    declared = {shape.name: shape for shape in model.error_shapes}
    assert refusal.name in set(declared) | COMMON, f"{model.name} declares no {refusal.name}"
    if refusal.name in declared:
        shape = declared[refusal.name]
        assert refusal.status == shape.metadata["error"]["httpStatusCode"]
        said = json.loads(raw["body"])
        expect_known(shape, said)
        expect_value(shape, said)
        assert set(shape.required_members) <= set(said)
    return refusal
