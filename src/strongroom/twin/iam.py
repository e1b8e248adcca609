# SPDX-License-Identifier: Apache-2.0
"""IAM: moto keeps the books, and KMS decides by the directory; this keeps the two the same.

Before a call, what the directory has and moto has not is entered there; after it, users, roles, policies and access
keys of the account are taken over from moto. So a `put-role-policy` counts with the next KMS call. What the directory
cannot express (paths, permissions boundaries, other names for users) is refused, and never kept without effect.

Unlike moto's other services, IAM asks the caller's identity policies: whoever may write them could open every key.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

import botocore.session
from botocore.model import ServiceModel
from werkzeug.wrappers import Response

from strongroom.errors import FormatError
from strongroom.formats.names import IAM_NAME
from strongroom.ids import AccountId
from strongroom.keypolicy.model import parse_identity_policy_leniently
from strongroom.ports import Clock
from strongroom.twin.accounts import PARTITION, Directory, Principal, PrincipalKind
from strongroom.twin.fault import AwsFault
from strongroom.twin.iam_books import IamBooks
from strongroom.twin.moto import Moto
from strongroom.twin.permissions import Question, parse_trust_policy
from strongroom.twin.query import parameters
from strongroom.twin.sigv4 import AuthenticCall

_READS = ("Get", "List")
_WRITES = frozenset(
    {
        "AddRoleToInstanceProfile",
        "AddUserToGroup",
        "AttachGroupPolicy",
        "AttachRolePolicy",
        "AttachUserPolicy",
        "CreateAccessKey",
        "CreateGroup",
        "CreateInstanceProfile",
        "CreatePolicy",
        "CreatePolicyVersion",
        "CreateRole",
        "CreateUser",
        "DeleteAccessKey",
        "DeleteGroup",
        "DeleteGroupPolicy",
        "DeleteInstanceProfile",
        "DeletePolicy",
        "DeletePolicyVersion",
        "DeleteRole",
        "DeleteRolePolicy",
        "DeleteUser",
        "DeleteUserPolicy",
        "DetachGroupPolicy",
        "DetachRolePolicy",
        "DetachUserPolicy",
        "PutGroupPolicy",
        "PutRolePolicy",
        "PutUserPolicy",
        "RemoveRoleFromInstanceProfile",
        "RemoveUserFromGroup",
        "SetDefaultPolicyVersion",
        "TagRole",
        "TagUser",
        "UntagRole",
        "UntagUser",
        "UpdateAccessKey",
        "UpdateAssumeRolePolicy",
        "UpdateRoleDescription",
    }
)
_WITHOUT_EFFECT = {"Path": "/", "PermissionsBoundary": "", "MaxSessionDuration": "3600"}
"""What the directory cannot express of a user or a role, with the value that says nothing."""
_TRUST = {"CreateRole": "AssumeRolePolicyDocument", "UpdateAssumeRolePolicy": "PolicyDocument"}
_OWN = {"CreateAccessKey", "DeleteAccessKey", "GetUser", "ListAccessKeys", "UpdateAccessKey"}
"""Without a UserName these are about the caller."""


class Iam:
    """The service."""

    def __init__(self, moto: Moto, directory: Directory, clock: Clock) -> None:
        self._moto = moto
        self._books = IamBooks(directory)
        self._clock = clock
        self._lock = threading.Lock()  # what one call changes is taken over before the next one

    def answer(self, call: AuthenticCall) -> Response:
        """Answer one call. Raises AwsFault."""
        asked = _of_somebody(call, parameters(call))
        action = asked.get("Action", "")
        writes = action in _WRITES
        if not writes and not action.startswith(_READS):
            raise AwsFault("InvalidAction", f"The twin's IAM reads, and knows {', '.join(sorted(_WRITES))}.")
        _expect_its_own(action, asked)
        _expect_expressible(asked)
        Question(call, f"iam:{action}", _resource(call, asked), self._clock.now()).expect_allowed()
        if action in _TRUST:
            _expect_policy(asked.get(_TRUST[action], ""), trust=True)
        elif "PolicyDocument" in asked:
            _expect_policy(asked["PolicyDocument"], trust=False)
        with self._lock:
            account = call.caller.principal.account_id
            self._books.enter(account)
            if action.startswith("Attach"):
                self._books.expect_readable(account, asked.get("PolicyArn", ""))
            reply = self._moto.answer(_as_it_was_read(call, asked))
            return self._books.take_over(account, reply) if writes else reply

    def role_of_profile(self, account: AccountId, profile: str) -> Principal:
        """Return the role in an instance profile, by the profile's name or ARN. Raises AwsFault.

        A role that stands in no profile is in one of its own name, as those have that EC2's console makes.
        """
        self._moto.claim()
        with self._lock:
            self._books.enter(account)
            return self._books.role_of_profile(account, profile)


def _as_it_was_read(call: AuthenticCall, asked: Mapping[str, str]) -> AuthenticCall:
    """Return the call with these parameters in its body, and nowhere else.

    moto looks for them in other places than we do, the query beside a body or under a Content-Encoding, and would then
    carry out another action than the one that was asked about.
    """
    headers = {name: value for name, value in call.call.headers.items() if not name.startswith("content-")}
    headers["content-type"] = "application/x-www-form-urlencoded; charset=utf-8"
    body = urlencode(asked).encode()
    return replace(call, call=replace(call.call, method="POST", path="/", query="", headers=headers, body=body))


def _of_somebody(call: AuthenticCall, asked: dict[str, str]) -> dict[str, str]:
    """Return the parameters with the caller's own name where nobody is named: moto would go by the key instead.

    Raises AwsFault for a role, which has no user's name.
    """
    caller = call.caller.principal
    if asked.get("Action") not in _OWN or "UserName" in asked:
        return asked
    if caller.kind is not PrincipalKind.USER:
        raise AwsFault("ValidationError", "Must specify userName when calling with non-User credentials")
    return asked | {"UserName": caller.name}


def _expect_its_own(action: str, asked: Mapping[str, str]) -> None:
    """Refuse a parameter that the operation does not have: `_resource` would take it for what it is about."""
    model = _model()
    if action not in model.operation_names:  # moto says so
        return
    shape = model.operation_model(action).input_shape
    known = {"Action", "Version", *(shape.members if shape else ())}
    strange = next((name for name in asked if name.partition(".")[0] not in known), None)
    if strange is not None:
        raise AwsFault("ValidationError", f"{action} has no parameter {strange[:64]}.")


@functools.cache
def _model() -> ServiceModel:
    """Return botocore's model of IAM. It takes a moment to read."""
    return botocore.session.Session().get_service_model("iam")


def _expect_expressible(asked: dict[str, str]) -> None:
    if asked["Action"] not in {"CreateRole", "CreateUser"}:
        return
    named = asked.get("UserName" if asked["Action"] == "CreateUser" else "RoleName", "")
    if not IAM_NAME.fullmatch(named):  # moto would keep it, and the directory never take it over
        raise AwsFault("ValidationError", f"Names have 1 to 64 letters, digits or +=,.@-_, not {named[:64]!r}.")
    for name, nothing in _WITHOUT_EFFECT.items():
        if asked.get(name, nothing) != nothing:
            message = f"The twin has users and roles without {name}: it would be kept, and not count."
            raise AwsFault("InvalidInput", message)


def _expect_policy(text: str, *, trust: bool) -> None:
    try:
        if trust:
            parse_trust_policy(text)
        else:
            parse_identity_policy_leniently(text)
    except FormatError as error:
        raise AwsFault("MalformedPolicyDocument", str(error)) from error


def _resource(call: AuthenticCall, asked: dict[str, str]) -> str:
    """Return the ARN that the action is about (Service Authorization Reference, IAM), or `*`."""
    account = f"arn:{PARTITION}:iam::{call.caller.principal.account_id}"
    for parameter, kind in (
        ("InstanceProfileName", "instance-profile"),
        ("GroupName", "group"),  # before the user, who would be let into it otherwise
        ("RoleName", "role"),
        ("UserName", "user"),
    ):
        if parameter in asked:
            return f"{account}:{kind}/{asked[parameter]}"
    if "PolicyArn" in asked:
        return asked["PolicyArn"]
    if asked.get("Action") == "CreatePolicy":
        return f"{account}:policy/{asked.get('PolicyName', '')}"
    return "*"
