# SPDX-License-Identifier: Apache-2.0
"""STS: GetCallerIdentity and AssumeRole (AWS STS API Reference, version 2011-06-15).

The credentials of an assumed role are the twin's own: KMS asks the role's policies, as it does on AWS. What would
narrow or mark a session (session policies, tags, a source identity, MFA) is refused and never ignored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

from werkzeug.wrappers import Response

from strongroom.formats.names import ACCOUNT_ID, IAM_NAME
from strongroom.ports import Clock
from strongroom.twin.accounts import PARTITION, Credentials, Directory, PrincipalKind
from strongroom.twin.fault import AwsFault
from strongroom.twin.permissions import ASSUME_ROLE, Question
from strongroom.twin.query import parameters, reply
from strongroom.twin.sigv4 import AuthenticCall

_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"
_SESSION_NAME = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)
_ROLE_ARN = re.compile(rf"arn:{PARTITION}:iam::{ACCOUNT_ID.pattern}:role/{IAM_NAME.pattern}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,5}")
_SHORTEST, _LONGEST = 900, 3600
"""Seconds. A role's MaxSessionDuration, an hour where nobody sets it, is not kept here."""
_TAKEN = frozenset({"Action", "Version", "RoleArn", "RoleSessionName", "DurationSeconds", "ExternalId"})


class Sts:
    """The service."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    def answer(self, call: AuthenticCall) -> Response:
        """Answer one call. Raises AwsFault."""
        asked = parameters(call)
        match asked.get("Action", ""):
            case "GetCallerIdentity":
                return self._identity(call.caller)
            case "AssumeRole":
                return self._assumed(call, asked)
            case action:
                raise AwsFault(
                    "InvalidAction", f"The twin's STS knows AssumeRole and GetCallerIdentity, not {action[:64]!r}."
                )

    def _identity(self, caller: Credentials) -> Response:
        members = {"Arn": caller.caller_arn, "UserId": caller.user_id, "Account": caller.principal.account_id}
        return reply("GetCallerIdentity", _NAMESPACE, members)

    def _assumed(self, call: AuthenticCall, asked: Mapping[str, str]) -> Response:
        unknown = sorted(asked.keys() - _TAKEN)
        if unknown:
            raise AwsFault(
                "ValidationError", f"The twin's AssumeRole does not know {unknown[0][:64]}: it would not count."
            )
        arn = asked.get("RoleArn", "")
        name = asked.get("RoleSessionName", "")
        seconds = asked.get("DurationSeconds", str(_LONGEST))
        if not _ROLE_ARN.fullmatch(arn) or not _SESSION_NAME.fullmatch(name):
            raise AwsFault("ValidationError", "RoleArn is the ARN of a role, RoleSessionName 2 to 64 of a-z0-9+=,.@-.")
        if not (_SECONDS.fullmatch(seconds) and _SHORTEST <= int(seconds) <= _LONGEST):
            raise AwsFault("ValidationError", f"DurationSeconds is {_SHORTEST} to {_LONGEST}, not {seconds[:64]!r}.")
        now = self._clock.now()
        role = self._directory.principal(arn)
        Question(call, ASSUME_ROLE, arn, now).expect_assumable(role)
        if role is None or role.kind is not PrincipalKind.ROLE:
            raise RuntimeError(f"{arn} was assumable and is no role")
        session = self._directory.open_session(role, session_name=name, now=now, life=timedelta(seconds=int(seconds)))
        return reply("AssumeRole", _NAMESPACE, _session_members(session))


def _session_members(session: Credentials) -> dict[str, str | Mapping[str, str]]:
    return {
        "AssumedRoleUser": {"AssumedRoleId": session.user_id, "Arn": session.caller_arn},
        "Credentials": {
            "AccessKeyId": session.access_key_id,
            "SecretAccessKey": session.secret_access_key,
            "SessionToken": session.session_token or "",
            "Expiration": f"{session.expires:%Y-%m-%dT%H:%M:%SZ}",
        },
    }
