# SPDX-License-Identifier: Apache-2.0
"""The account that a run asks: its clients, and everything that probes create there.

Whatever is created goes through a Workbench, one for each probe, which holds the probe to its budget and writes the
journal first. Names begin with the name of the run, and everything that can carry the run's tag does.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError
from conformance.aws.budget import Budget
from conformance.aws.documents import Document, Documents, Need
from conformance.aws.journal import Journal, Thing
from conformance.aws.principals import ROLE, TAG, USER, Principals, patiently

KEY, ALIAS = "key", "alias"
SERIAL_TAG = TAG + ":name"
"""The tag with the name that the journal has for a key, which has no name of its own."""
WAITING_DAYS = 7
"""The shortest waiting period of a deletion (KMS API Reference, ScheduleKeyDeletion)."""
MANAGE = ("kms:CancelKeyDeletion", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion")
"""What every policy leaves to the account, so that each key can be deleted by whoever comes to clear away."""
_NOT_KNOWN_YET = ("MalformedPolicyDocumentException",)
"""How KMS refuses a policy that names a principal of whom it has not heard yet."""
_SERVER_FAULT = 500
_NOT_ALLOWED_YET = ("AccessDeniedException",)
Statement = Mapping[str, Any]


ANSWERED = "answered"
"""What is said of a call that succeeds."""


class OverBudgetError(Exception):
    """A probe wants to create more than the plan said."""


@dataclass(frozen=True)
class Clients:
    """How the account is reached. `connect` makes a client of a service, for an access key or for the runner."""

    kms: Any
    account: str
    region: str
    partition: str
    caller_arn: str
    connect: Any


@dataclass(frozen=True)
class Target:
    """One account in one region, for one run. `patience` is how many seconds AWS may need to know what is new."""

    clients: Clients
    principals: Principals
    journal: Journal
    documents: Documents
    run: str
    now: Callable[[], datetime]
    patience: float = 0


@dataclass
class Actor:
    """A user or role that a probe has created."""

    bench: Workbench
    kind: str
    name: str
    arn: str
    session: str = "s1"
    _kms: Any = None

    def allow(self, *statements: Statement) -> None:
        """Give it these statements as its identity policy."""
        self.bench.target.principals.allow(self.kind, self.name, document(statements))

    @property
    def kms(self) -> Any:
        """A KMS client that signs as this principal, from when it is first asked for."""
        if self._kms is None:
            key = self.bench.target.principals.sign_in(self.kind, self.name, self.session)
            self._kms = self.bench.target.clients.connect("kms", key)
        return self._kms

    def make_anew(self) -> None:
        """Remove the principal and create another one under the same name. Sessions of the first one end."""
        self.bench.target.principals.remove(self.kind, self.name, run=self.bench.target.run)
        self.arn = self.bench.target.principals.create(self.kind, self.name, run=self.bench.target.run)
        self._kms = None


@dataclass
class Workbench:
    """What one probe creates in the target, within its budget. `number` makes its names its own."""

    target: Target
    number: int
    budget: Budget
    _used: dict[str, int] = field(default_factory=dict)

    @property
    def kms(self) -> Any:
        """The runner's KMS client."""
        return self.target.clients.kms

    @property
    def account_root(self) -> str:
        """The account as a principal."""
        return f"arn:{self.target.clients.partition}:iam::{self.target.clients.account}:root"

    def key(self, *statements: Statement, spec: str = "SYMMETRIC_DEFAULT", usage: str = "ENCRYPT_DECRYPT") -> str:
        """Create a key and return its ARN. Without statements the account's identity policies decide about it."""
        given = statements or (self.delegated("kms:*"),)
        policy = json.dumps(document([self.delegated(*MANAGE, sid="StrongroomRunner"), *given]))
        return self.create_key(Policy=policy, KeySpec=spec, KeyUsage=usage)

    def create_key(self, **parameters: Any) -> str:
        """Create a key with these parameters and the run's tags, as soon as KMS knows the principals of its policy."""
        thing = self._next(KEY, self.budget.keys)
        self.target.journal.intend(thing)
        made = patiently(
            lambda: self.kms.create_key(Tags=self._tags(thing), **parameters),
            refused=_NOT_KNOWN_YET,
            patience=self.target.patience,
        )
        arn: str = made["KeyMetadata"]["Arn"]
        self.target.journal.created(thing, arn)
        return arn

    def refused_key(self, by: Any = None, **parameters: Any) -> str:
        """Ask for a key that should be refused, and return how. One that is made all the same is in the journal."""
        thing = self._next(KEY, self.budget.keys)
        create = (by or self.kms).create_key
        return self._refused(thing, lambda: create(Tags=self._tags(thing), **parameters)["KeyMetadata"]["Arn"])

    def refused_alias(self, name: str, key: str, *, by: Any) -> str:
        """Ask for an alias that should be refused, and return how."""
        thing = Thing(self.target.run, ALIAS, name.removeprefix("alias/"))
        return self._refused(thing, lambda: by.create_alias(AliasName=name, TargetKeyId=key) and key)

    def _refused(self, thing: Thing, create: Callable[[], str]) -> str:
        self.target.journal.intend(thing)
        try:
            self.target.journal.created(thing, create())
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < _SERVER_FAULT:  # else nobody knows
                self.target.journal.gone(thing)
                self._used[thing.kind] = self._used.get(thing.kind, 1) - 1
            return str(error.response["Error"]["Code"])
        return ANSWERED

    def alias(self, key: str) -> str:
        """Create an alias of a key and return its name."""
        thing = self._next(ALIAS, self.budget.aliases)
        self.target.journal.intend(thing)
        self.kms.create_alias(AliasName=f"alias/{thing.name}", TargetKeyId=key)
        self.target.journal.created(thing, key)
        return f"alias/{thing.name}"

    def role(self, name: str = "app", *, session: str = "s1") -> Actor:
        """Create a role without policies."""
        return self.principal(ROLE, name, session=session)

    def principal(self, kind: str, name: str, *, session: str = "s1") -> Actor:
        """Create a user or a role without policies."""
        thing = self._next(kind, self.budget.principals, name)
        self.target.journal.intend(thing)
        arn = self.target.principals.create(kind, thing.name, run=self.target.run)
        self.target.journal.created(thing, arn)
        return Actor(self, kind, thing.name, arn, session)

    def patiently(self, call: Callable[..., Any], *, refused: Sequence[str], **parameters: Any) -> Any:
        """Call until AWS knows what is new: while it refuses with one of these codes and patience lasts."""
        return patiently(lambda: call(**parameters), refused=refused, patience=self.target.patience)

    def eventually(self, call: Callable[..., Any], **parameters: Any) -> str:
        """Return the code of the error that a call ends in, once its permissions are known or patience is over."""
        try:
            self.patiently(call, refused=_NOT_ALLOWED_YET, **parameters)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ANSWERED

    def document(self, need: Need) -> Document:
        """Return a document of those that the run was given. Raises LookupError when it has become too old by now."""
        return self.target.documents.one(need, self.target.now())

    def delegated(self, *actions: str, sid: str = "Account", **more: Any) -> Statement:
        """Return the statement that leaves actions to the identity policies of the account."""
        return allow(self.account_root, actions, Sid=sid, **more)

    def without_names(self, sentence: str, key: str = "", who: str = "") -> str:
        """Return a sentence of AWS with KEY and CALLER in it, so that it is the same in every account."""
        for name, word in ((key, "KEY"), (who or self.target.clients.caller_arn, "CALLER")):
            sentence = sentence.replace(name, word) if name else sentence
        return sentence

    def _tags(self, thing: Thing) -> list[dict[str, str]]:
        return [{"TagKey": TAG, "TagValue": self.target.run}, {"TagKey": SERIAL_TAG, "TagValue": thing.name}]

    def prefix(self) -> str:
        """Return how names of this probe begin."""
        return f"{self.target.run}-{self.number}-"

    def _next(self, kind: str, limit: int, name: str = "") -> Thing:
        counted = "principal" if kind in {USER, ROLE} else kind
        used = self._used[counted] = self._used.get(counted, 0) + 1
        if used > limit:
            raise OverBudgetError(f"expected at most {limit} of kind {counted}, as the plan says")
        return Thing(self.target.run, kind, self.prefix() + (name or f"{kind}{used}"))


def allow(principal: Any, actions: str | Sequence[str], **more: Any) -> Statement:
    """Return an Allow of a key policy."""
    named = principal if principal == "*" else {"AWS": principal}
    actions = actions if isinstance(actions, str) else list(actions)
    return {"Effect": "Allow", "Principal": named, "Action": actions, "Resource": "*", **more}


def deny(principal: Any, actions: str | Sequence[str], **more: Any) -> Statement:
    """Return a Deny of a key policy."""
    return {**allow(principal, actions, **more), "Effect": "Deny"}


def may(actions: str | Sequence[str], resource: str = "*", **more: Any) -> Statement:
    """Return an Allow of an identity policy."""
    actions = actions if isinstance(actions, str) else list(actions)
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def document(statements: Sequence[Statement]) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}
