# SPDX-License-Identifier: Apache-2.0
"""Calls to the twin's EC2, as far as it is ours, without HTTP and signatures, held against botocore's own model.

Requests are written by botocore's serializer, replies and errors read by its parser; a reply has only elements that
the model has. What goes to moto is answered by a `Moto` that knows nothing and remembers what it was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree as ET

from botocore.model import ListShape, Shape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from tests.ebs_calls import Storage, Uploader
from werkzeug.wrappers import Response

from strongroom.ids import AccountId, KeyArn, Region
from strongroom.twin.accounts import FULL_ACCESS, Credentials, PrincipalKind
from strongroom.twin.api_model import output_of, service_model
from strongroom.twin.api_request import ApiRequest
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.keeper import StateKeeper
from strongroom.twin.images.query import NAMESPACE
from strongroom.twin.images.service import Images
from strongroom.twin.kms.keys import Place
from strongroom.twin.machine import DEFAULT_REGION
from strongroom.twin.refusals import Wire, refuse
from strongroom.twin.sigv4 import AuthenticCall, Scope, SignedCall
from strongroom.twin.state_file import StateFile

_SERIALIZER, _PARSER = create_serializer("ec2", include_validation=False), create_parser("ec2")
ROOT = "/dev/xvda"
BLOCKS = {0: bytes(524_288)}


class Refused(Exception):  # noqa: N818 -- it is an answer
    """An error reply as boto3 reads it."""

    def __init__(self, parsed, status: int) -> None:
        super().__init__(f"{status} {parsed}")
        self.name: str = parsed["Error"]["Code"]
        self.message: str = parsed["Error"]["Message"]
        self.status = status


class Moto:
    """Answers lists with `items`, XML inside the list, in moto's own namespace; refuses everything else."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.items = ""

    def answer(self, call: AuthenticCall) -> Response:
        form = dict(parse_qsl(call.call.body.decode()))
        self.asked.append(form)
        lists = {"DescribeImages": "imagesSet", "DescribeSnapshots": "snapshotSet"}
        if form["Action"] not in lists:
            raise AwsFault("InvalidAction", f"moto was asked for {form['Action']}")
        name = lists[form["Action"]]
        body = f"<R xmlns='{NAMESPACE.rstrip('/')}'><{name}>{self.items}</{name}></R>"
        return Response(body, mimetype="text/xml")


class Ec2(Storage):
    """KMS, EBS and EC2 by themselves, with two accounts and a clock that tests move."""

    def __init__(self, file: StateFile | None = None) -> None:
        super().__init__(file)
        self.moto = Moto()
        keeper = StateKeeper(file) if file else None
        self.images = Images(self.ebs, self._key_named, self.moto.answer, clock=self.clock, keeper=keeper)

    def registrar(self, account: str, name: str = "registrar", *policies: str) -> Registrar:
        """A user of an account who may do everything, or what the policies say."""
        user = self.directory.create_principal(
            AccountId(account), PrincipalKind.USER, name, policies=policies or (FULL_ACCESS,)
        )
        return Registrar(self, self.directory.add_key(user))

    def _key_named(self, request: ApiRequest, identifier: str) -> KeyArn:
        return self.kms.key_arn(Place(request.region, request.account_id), identifier)


class Registrar:
    """One principal who calls EC2 in one Region; `answered` counts the replies that came."""

    def __init__(self, ec2: Ec2, credentials: Credentials, region: str = DEFAULT_REGION) -> None:
        self.ec2 = ec2
        self.credentials = credentials
        self.region = region
        self.answered: set[str] = set()

    @property
    def ebs(self) -> Uploader:
        """The same principal, in EBS."""
        return Uploader(self.ec2, self.credentials, self.region)

    def at(self, region: str) -> Registrar:
        """The same in another Region."""
        return Registrar(self.ec2, self.credentials, region)

    def __call__(self, operation: str, **parameters):
        """Call an operation by AWS's name; return the parsed reply, or raise Refused."""
        model = service_model("ec2").operation_model(operation)
        written = _SERIALIZER.serialize_to_request(parameters, model)
        response = self.send(written["body"])
        raw = {"status_code": response.status_code, "headers": dict(response.headers), "body": response.get_data()}
        if response.status_code >= 300:
            raise Refused(_PARSER.parse(raw, None), response.status_code)
        expect_known(output_of(model), ET.fromstring(raw["body"]), skip={"requestId", "return"})
        self.answered.add(operation)
        parsed = _PARSER.parse(raw, model.output_shape)
        parsed.pop("ResponseMetadata")
        return parsed

    def send(self, form: Mapping[str, str]) -> Response:
        """Send a form as it is; return the reply."""
        scope = Scope("20260101", Region(self.region), "ec2")
        call = SignedCall("POST", "/", "", {"user-agent": "tests"}, urlencode(form).encode())
        try:
            return self.ec2.images.answer(AuthenticCall(self.credentials, scope, call))
        except AwsFault as fault:
            return refuse(Wire.EC2, fault)

    def snapshot(self, **parameters) -> str:
        """A completed snapshot of one GiB; returns its id."""
        return self.ebs.upload(BLOCKS, **parameters)

    def register(self, name: str = "acme 1.0", *, snapshot: str = "", **parameters) -> str:
        """Register an attestable image; return its id."""
        volume = {"SnapshotId": snapshot or self.snapshot()}
        call: dict[str, Any] = {
            "Name": name,
            "Architecture": "x86_64",
            "VirtualizationType": "hvm",
            "BootMode": "uefi",
            "TpmSupport": "v2.0",
            "EnaSupport": True,
            "RootDeviceName": ROOT,
            "BlockDeviceMappings": [{"DeviceName": ROOT, "Ebs": volume}],
            **parameters,
        }
        found: str = self("RegisterImage", **{key: value for key, value in call.items() if value is not None})[
            "ImageId"
        ]
        return found

    def image(self, image_id: str) -> dict[str, Any]:
        (found,) = self("DescribeImages", ImageIds=[image_id])["Images"]
        return dict(found)

    def refused(self, code: str, operation: str, **parameters) -> str:
        """Call, expect the error, and return its message."""
        try:
            self(operation, **parameters)
        except Refused as refusal:
            assert refusal.name == code, refusal
            return refusal.message
        raise AssertionError(f"{operation} was answered")


def expect_known(shape: Shape, element: ET.Element, *, skip: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Require that XML has no element that the model has not, and that choices are among the model's."""
    if isinstance(shape, ListShape):
        for each in element:
            expect_known(shape.member, each)
    elif isinstance(shape, StructureShape):
        members = {str(member.serialization.get("name", name)): member for name, member in shape.members.items()}
        for each in element:
            tag = each.tag.removeprefix(f"{{{NAMESPACE}}}")
            assert tag in members or tag in skip, f"{shape.name} has no {tag}"
            if tag in members:
                expect_known(members[tag], each)
    elif shape.type_name == "string" and shape.metadata.get("enum"):
        assert element.text in shape.metadata["enum"], (shape.name, element.text)
