# SPDX-License-Identifier: Apache-2.0
"""Users and roles that a run creates, by IAM and STS.

IAM API Reference and STS API Reference, by the operations' names. IAM is eventually consistent: what was written may be
unknown for some seconds (IAM User Guide, "Changes that I make are not always immediately visible").
"""

from __future__ import annotations

import enum
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

USER, ROLE = "user", "role"
TAG = "strongroom:aws-conformance"
"""The tag on everything that a run creates. Its value is the name of the run."""
SERIAL_TAG = TAG + ":name"
"""The tag with the name that the journal has for a key, which has no name of its own."""
POLICY = "strongroom-aws-conformance"
NO_SUCH = "NoSuchEntity"
_UNKNOWN_YET = ("AccessDenied", "InvalidClientTokenId")
"""How STS refuses a role or a key of which it has not heard yet."""


class Removal(enum.Enum):
    """What became of a principal that was to be removed. IAM may not know yet what was created just now."""

    DONE = enum.auto()
    UNKNOWN = enum.auto()
    FOREIGN = enum.auto()


@dataclass(frozen=True)
class AccessKey:
    """With what a principal signs."""

    id: str
    secret: str
    token: str | None = None


class Principals:
    """Creates users and roles of one account, and removes those again that carry a run's tag.

    `root` is the account as a principal; `patience` is how many seconds STS may need to know a new role.
    """

    def __init__(self, iam: Any, sts: Any, root: str, *, patience: float) -> None:
        self._iam = iam
        self._sts = sts
        self._root = root
        self._arns: dict[str, str] = {}
        self._patience = patience

    def create(self, kind: str, name: str, *, run: str) -> str:
        """Create a principal with the tag of the run and no policy; return its ARN.

        A role trusts its account, so whoever there may assume roles can assume it.
        """
        tags = [{"Key": TAG, "Value": run}]
        if kind == USER:
            arn: str = self._iam.create_user(UserName=name, Tags=tags)["User"]["Arn"]
            return arn
        trust = {"Effect": "Allow", "Principal": {"AWS": self._root}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        made = self._iam.create_role(RoleName=name, AssumeRolePolicyDocument=document, Tags=tags)
        self._arns[name] = made["Role"]["Arn"]
        return self._arns[name]

    def allow(self, kind: str, name: str, policy: dict[str, Any]) -> None:
        """Give it one identity policy, instead of the one that it had."""
        put = self._iam.put_user_policy if kind == USER else self._iam.put_role_policy
        put(**_named(kind, name), PolicyName=POLICY, PolicyDocument=json.dumps(policy))

    def sign_in(self, kind: str, name: str, session: str) -> AccessKey:
        """Return a new access key of a user, or the credentials of a session, as soon as STS knows the role."""
        if kind == USER:
            made = self._iam.create_access_key(UserName=name)["AccessKey"]
            return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])
        given = patiently(
            lambda: self._sts.assume_role(RoleArn=self._arns[name], RoleSessionName=session),
            refused=_UNKNOWN_YET,
            patience=self._patience,
        )["Credentials"]
        return AccessKey(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def remove(self, kind: str, name: str, *, run: str) -> Removal:
        """Remove it with its keys and policies. One without the run's tag is somebody else's and stays."""
        who = _named(kind, name)
        try:
            tags = (self._iam.list_user_tags if kind == USER else self._iam.list_role_tags)(**who)["Tags"]
            if {"Key": TAG, "Value": run} not in tags:
                return Removal.FOREIGN
            self._empty(kind, who)
            (self._iam.delete_user if kind == USER else self._iam.delete_role)(**who)
        except ClientError as error:
            if error.response["Error"]["Code"] != NO_SUCH:
                raise
            return Removal.UNKNOWN
        return Removal.DONE

    def _empty(self, kind: str, who: dict[str, str]) -> None:
        if kind == USER:
            for key in self._iam.list_access_keys(**who)["AccessKeyMetadata"]:
                self._iam.delete_access_key(**who, AccessKeyId=key["AccessKeyId"])
        listed = (self._iam.list_user_policies if kind == USER else self._iam.list_role_policies)(**who)
        for policy in listed["PolicyNames"]:
            delete = self._iam.delete_user_policy if kind == USER else self._iam.delete_role_policy
            delete(**who, PolicyName=policy)


def patiently(call: Callable[[], Any], *, refused: Sequence[str], patience: float, pause: float = 2) -> Any:
    """Call again while AWS refuses with one of these codes and `patience` (in seconds) is not used up."""
    end = time.monotonic() + patience
    while True:
        try:
            return call()
        except ClientError as error:
            if error.response["Error"]["Code"] not in refused or time.monotonic() >= end:
                raise
        time.sleep(pause)


def _named(kind: str, name: str) -> dict[str, str]:
    return {"UserName" if kind == USER else "RoleName": name}
