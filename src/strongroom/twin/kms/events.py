# SPDX-License-Identifier: Apache-2.0
"""KMS calls as CloudTrail's records show them.

CloudTrail User Guide, "CloudTrail record contents" and "CloudTrail userIdentity element"; KMS Developer Guide,
"Examples of AWS KMS log entries" and "Monitoring requests for NitroTPM". docs/twin.md grades what is assumed.
Plaintexts, messages, signatures, ciphertexts, documents and grant tokens never are in a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from strongroom.formats.arn import arn_account
from strongroom.ids import AccountId
from strongroom.twin.accounts import Credentials, PrincipalKind

VERSION = "1.11"
SOURCE = "kms.amazonaws.com"
_TIMES = frozenset({"CreationDate", "DeletionDate"})
_CODES = {"AccessDeniedException": "AccessDenied"}
"""CloudTrail's own name for what KMS calls otherwise (aws-samples/baseline-environment-on-aws pull request 51)."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What a record shows of a call besides its decision.

    `parameters` and `reply` have KMS's spelling, and no secrets.
    """

    caller: Credentials = field(repr=False)
    request_id: str
    source_ip: str
    user_agent: str
    read_only: bool
    parameters: Mapping[str, object]
    reply: Mapping[str, object]
    resources: tuple[str, ...]
    additional: Mapping[str, object]

    @property
    def accounts(self) -> tuple[AccountId, ...]:
        """The accounts that get a record: the caller's, and those that own a key or an alias of the call."""
        owners = (arn_account(arn) for arn in self.resources)
        return tuple(dict.fromkeys((self.caller.principal.account_id, *owners)))


def user_identity(caller: Credentials, *, seen_by: AccountId) -> dict[str, object]:
    """Return userIdentity. Another account learns no more than the caller's id and account."""
    principal = caller.principal
    said: dict[str, object] = {"principalId": caller.user_id, "accountId": principal.account_id}
    if seen_by != principal.account_id:
        return {"type": "AWSAccount", **said}
    said |= {"arn": caller.caller_arn, "accessKeyId": caller.access_key_id}
    if principal.kind is PrincipalKind.USER:
        return {"type": "IAMUser", **said, "userName": principal.name}
    issuer = {
        "type": "Role",
        "principalId": principal.unique_id,
        "arn": principal.arn,
        "accountId": principal.account_id,
        "userName": principal.name,
    }
    session: dict[str, object] = {"sessionIssuer": issuer}
    if caller.issued_at is not None:
        session["attributes"] = {"creationDate": timestamp(caller.issued_at), "mfaAuthenticated": "false"}
    return {"type": "AssumedRole", **said, "sessionContext": session}


def call_members(facts: CallFacts, *, recipient: AccountId) -> dict[str, object]:
    """Return the members of a record that do not depend on the decision. `recipient` is the account that gets it."""
    return {
        "userIdentity": user_identity(facts.caller, seen_by=recipient),
        "sourceIPAddress": facts.source_ip,
        "userAgent": facts.user_agent,
        "requestParameters": camel(facts.parameters) or None,
        "responseElements": camel(facts.reply) or None,
        "requestID": facts.request_id,
        "readOnly": facts.read_only,
        "resources": [_resource(arn) for arn in facts.resources],
        "recipientAccountId": recipient,
    }


def shown_code(error_code: str) -> str:
    """Return errorCode for the name of a KMS exception."""
    return _CODES.get(error_code, error_code)


def timestamp(at: datetime) -> str:
    """Return a time as records have it."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def camel(members: Mapping[str, object]) -> dict[str, object]:
    """Return members under CloudTrail's names: a small first letter, in structures and in lists of them.

    Keys of an encryption context are the caller's own and stay. Times are in words.
    """
    return {_small(name): _value(name, value) for name, value in members.items()}


def _value(name: str, value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value) if "EncryptionContext" in name else camel(value)
    if isinstance(value, list):
        return [camel(each) if isinstance(each, Mapping) else each for each in value]
    if name in _TIMES and isinstance(value, float):
        at = datetime.fromtimestamp(value, tz=UTC)
        return f"{at:%b} {at.day}, {at:%Y, %I:%M:%S %p}"
    return value


def _small(name: str) -> str:
    return name[:1].lower() + name[1:]


def _resource(arn: str) -> dict[str, str]:
    return {"accountId": arn_account(arn), "type": "AWS::KMS::Key", "ARN": arn}
