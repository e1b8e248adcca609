# SPDX-License-Identifier: Apache-2.0
"""CloudTrail's record of one call to KMS: who asked for what, and, where it was allowed, the PCRs of the document.

CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail userIdentity element"; KMS Developer Guide,
"Monitoring requests for NitroTPM" and "... for AWS Nitro Enclaves". PCRs stand there as hex in AWS's examples and as
base64 in events that others published; a denied call shows none. Nothing in an event is signed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.pcrs import SHA384_BYTES, PcrDigests
from strongroom.formats.times import read_moment
from strongroom.formats.tree import Node, shown

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""Of a file: CloudTrail's own log files hold many records."""
KMS = "kms.amazonaws.com"
_SPEC = "CloudTrail User Guide, record contents"
_TPM = re.compile(r"attestationDocumentNitroTPMPCR([0-9]{1,2})")
_ENCLAVE = re.compile(r"attestationDocumentEnclavePCR([0-9]{1,2})")
_IMAGE = "attestationDocumentEnclaveImageDigest"
_DRY_RUN = "DryRunOperationException"
"""How KMS says that a call with DryRun would have succeeded (KMS API Reference, Decrypt)."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


@dataclass(frozen=True, slots=True)
class KmsEvent:
    """What a record says. An empty text is something that it does not say.

    `caller_arn` is empty in the record that another account gets. `tpm_pcrs` and `enclave_pcrs` are the few PCRs that
    CloudTrail shows of a document.
    """

    event_id: str
    time: datetime
    region: str
    operation: str
    account: str
    caller_arn: str
    caller_id: str
    role_arn: str
    invoked_by: str
    key_arn: str
    context: dict[str, str]
    source_ip: str
    vpc_endpoint: str
    user_agent: str
    error_code: str
    error_message: str
    tpm_pcrs: PcrDigests | None
    enclave_pcrs: PcrDigests | None

    @property
    def allowed(self) -> bool:
        """Tell whether policies allowed the call: it ended without an error, or was a dry run that would have."""
        return self.error_code in {"", _DRY_RUN}

    @property
    def attested(self) -> bool:
        """Tell whether the record shows a document."""
        return self.tpm_pcrs is not None or self.enclave_pcrs is not None

    @property
    def denied(self) -> bool:
        """Tell whether a policy refused the call."""
        return self.error_code in _DENIED


def parse_kms_events(data: bytes) -> tuple[KmsEvent, ...]:
    """Parse the calls to KMS in a record, a list of records, a log file, or what `lookup-events` prints.

    Raises FormatError.
    """
    root = strict_json.parse(data, maximum_bytes=MAX_EVENT_BYTES, spec=_SPEC)
    records = tuple(_records(root))
    return tuple(_event(each) for each in records if dict(each.table()).get("eventSource", each).value == KMS)


def _records(root: Node) -> Iterator[Node]:
    if isinstance(root.value, list):
        yield from root.items()
        return
    members = dict(root.table())
    if "Records" in members:
        yield from members["Records"].items()
    elif "Events" in members:
        for each in members["Events"].items():
            yield _record_in(each)
    elif "CloudTrailEvent" in members:
        yield _record_in(root)
    else:
        yield root


def _record_in(node: Node) -> Node:
    text = node.members(("CloudTrailEvent",))["CloudTrailEvent"].string()
    return strict_json.parse(text.encode(), maximum_bytes=MAX_EVENT_BYTES, spec=_SPEC)


def _event(node: Node) -> KmsEvent:
    members = node.members(("eventName", "eventTime", "awsRegion", "userIdentity"))
    identity = dict(members["userIdentity"].table())
    issuer = _table(_table(identity, "sessionContext"), "sessionIssuer")
    parameters = _table(members, "requestParameters")
    recipient = _table(_table(members, "additionalEventData"), "recipient")
    return KmsEvent(
        event_id=_text(members, "eventID"),
        time=_time(members["eventTime"]),
        region=members["awsRegion"].region(),
        operation=members["eventName"].text(),
        account=_text(identity, "accountId"),
        caller_arn=_text(identity, "arn"),
        caller_id=_text(issuer, "principalId") or _text(identity, "principalId").partition(":")[0],
        role_arn=_text(issuer, "arn"),
        invoked_by=_text(identity, "invokedBy"),
        key_arn=_key(members, parameters),
        context={key: value.string() for key, value in _table(parameters, "encryptionContext").items()},
        source_ip=_text(members, "sourceIPAddress"),
        vpc_endpoint=_text(members, "vpcEndpointId"),
        user_agent=_text(members, "userAgent"),
        error_code=_text(members, "errorCode"),
        error_message=_text(members, "errorMessage"),
        tpm_pcrs=_pcrs(recipient, _TPM),
        enclave_pcrs=_pcrs(recipient, _ENCLAVE),
    )


def _table(members: dict[str, Node], name: str) -> dict[str, Node]:
    """Return the members of an object, none where there is no object: CloudTrail writes null, too."""
    node = members.get(name)
    return {} if node is None or node.value is None else dict(node.table())


def _text(members: dict[str, Node], name: str) -> str:
    node = members.get(name)
    return "" if node is None or node.value is None else node.string()


def _time(node: Node) -> datetime:
    text = node.text()
    try:
        return read_moment(text)
    except ValueError as error:
        raise node.refused("kms-event.time", f"expected a time with its zone, found {shown(text)}") from error


def _key(members: dict[str, Node], parameters: dict[str, Node]) -> str:
    """Return the key's ARN: a resource of the event, or how the caller named it, if by ARN."""
    resources = members.get("resources")
    listed = () if resources is None or resources.value is None else resources.items()
    arns = [_text(dict(each.table()), "ARN") for each in listed]
    named = [*arns, _text(parameters, "keyId")]
    return next((arn for arn in named if ":key/" in arn), "")


def _pcrs(recipient: dict[str, Node], pattern: re.Pattern[str]) -> PcrDigests | None:
    found = {int(match[1]): _digest(node) for name, node in recipient.items() if (match := pattern.fullmatch(name))}
    if pattern is _ENCLAVE and _IMAGE in recipient:
        found[0] = _digest(recipient[_IMAGE])
    return PcrDigests.of(found) if found else None


def _digest(node: Node) -> bytes:
    """Read a SHA-384 in hex or in base64: 96 or 64 characters, so that neither is taken for the other."""
    text = node.text()
    try:
        digest = bytes.fromhex(text) if len(text) == 2 * SHA384_BYTES else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        digest = b""
    if len(digest) != SHA384_BYTES:
        raise _bad_digest(node, text)
    return digest


def _bad_digest(node: Node, text: str) -> FormatError:
    return node.refused("kms-event.pcr", f"expected a SHA-384 digest in hex or base64, found {shown(text)}")
