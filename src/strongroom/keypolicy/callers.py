# SPDX-License-Identifier: Apache-2.0
"""From an ARN to the caller whom policies see.

IAM User Guide, "IAM identifiers" and "AWS JSON policy elements: Principal". A role never calls by itself: sessions of
it do. So a role's ARN stands for a session of it, and an account's id for a session of a role that no policy has reason
to name. The path of a role is not in the ARN of its session.
"""

from __future__ import annotations

import re

from strongroom.errors import UsageError
from strongroom.formats.names import ACCOUNT_ID, PARTITION
from strongroom.ids import AccountId
from strongroom.keypolicy.principal_text import read_service_principal
from strongroom.keypolicy.principals import Caller

SESSION_NAME = "a-session"
"""Of sessions that were asked for by the role's ARN."""
SOMEBODY = "somebody"
"""Name of the role for which an account's id stands."""
_NAME = r"[\w+=,.@-]+"
_ARN = re.compile(
    rf"arn:(?P<partition>{PARTITION.pattern}):(?:iam::(?P<owner>{ACCOUNT_ID.pattern}):(?P<entity>root|user/[\w+=,.@/-]+)"
    rf"|iam::(?P<role_owner>{ACCOUNT_ID.pattern}):role/(?P<path>(?:{_NAME}/)*)(?P<role>{_NAME})"
    rf"|sts::(?P<user_owner>{ACCOUNT_ID.pattern}):federated-user/{_NAME}"
    rf"|sts::(?P<session_owner>{ACCOUNT_ID.pattern}):assumed-role/(?P<assumed>{_NAME})/{_NAME})",
    re.ASCII,
)


def read_caller(text: str, *, role: str = "", unique_id: str = "", partition: str = "aws") -> Caller:
    """Return the caller that an ARN, an account id or the name of a service stands for.

    `role` is the role's own ARN for a session of a role with a path; `unique_id` is AROA... or AIDA..., where known.
    `partition` is for account ids. Raises UsageError for anything else, and for a role that is not the session's.
    """
    if ACCOUNT_ID.fullmatch(text):
        return read_caller(f"arn:{partition}:iam::{text}:role/{SOMEBODY}", unique_id=unique_id)
    if read_service_principal(text) is not None:
        return Caller.of_service(text)
    found = _ARN.fullmatch(text)
    if found is None:
        raise UsageError(
            "key.caller",
            f"expected the ARN of a user, a role, a role session or an account's root, an account id or the name of a "
            f"service, found {text[:200]!r}",
        )
    if found["assumed"]:
        return _session(found, text, role, unique_id)
    if role:
        raise UsageError("key.caller", f"expected the role beside a role session only, found it beside {text}")
    if found["role"]:
        account = AccountId(found["role_owner"])
        session = f"arn:{found['partition']}:sts::{account}:assumed-role/{found['role']}/{SESSION_NAME}"
        return Caller(account, session, text, unique_id)
    return Caller(AccountId(found["owner"] or found["user_owner"]), text, unique_id=unique_id)


def _session(found: re.Match[str], text: str, role: str, unique_id: str) -> Caller:
    account, name = AccountId(found["session_owner"]), found["assumed"]
    own = role or f"arn:{found['partition']}:iam::{account}:role/{name}"
    if not re.fullmatch(rf"arn:{found['partition']}:iam::{account}:role/(?:.*/)?{re.escape(name)}", own):
        raise UsageError("key.caller", f"expected the ARN of the role {name} of account {account}, found {role!r}")
    return Caller(account, text, own, unique_id)
