# SPDX-License-Identifier: Apache-2.0
"""What a probe works with: keys, aliases, users and roles of its own, and the policies that it needs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from conformance.aws.answers import outcome
from conformance.aws.budget import Budget
from conformance.aws.creation import ALIAS, KEY, Creation
from conformance.aws.documents import Document, Need
from conformance.aws.journal import Thing
from conformance.aws.principals import ROLE, SERIAL_TAG, TAG, AccessKey, Principals, patiently
from conformance.aws.statements import MANAGE, Statement, allow, document, may
from conformance.aws.target import Target

_NOT_KNOWN_YET = ("MalformedPolicyDocumentException", "ThrottlingException")
"""How KMS refuses a policy that names a principal of whom it has not heard yet, and too many keys in a second."""
_NOT_ALLOWED_YET = ("AccessDeniedException", "UnrecognizedClientException")
"""How KMS refuses whose policy, or access key, it does not know yet."""


class Workbench:
    """What one probe has in the target, within its budget. `number` makes its names its own."""

    def __init__(self, target: Target, number: int, budget: Budget) -> None:
        self.target = target
        self.prefix = f"{target.run}-{number}-"
        self._creation = Creation(target.journal, target.run, self.prefix, budget)

    @property
    def kms(self) -> Any:
        """The runner's KMS client."""
        return self.target.clients.kms

    @property
    def account_root(self) -> str:
        """The account as a principal."""
        return self.target.clients.root

    def key(self, *statements: Statement, spec: str = "SYMMETRIC_DEFAULT", usage: str = "ENCRYPT_DECRYPT") -> str:
        """Create a key and return its ARN, as soon as KMS knows the principals of its policy.

        Without statements the account's identity policies decide about it.
        """
        given = statements or (self.delegated("kms:*"),)
        policy = json.dumps(document([self.delegated(*MANAGE, sid="StrongroomRunner"), *given]))
        thing = self._creation.next(KEY)
        call = {"Tags": tags_of(thing), "Policy": policy, "KeySpec": spec, "KeyUsage": usage}

        def create() -> str:
            made = self.patiently(self.target.clients.creating.create_key, refused=_NOT_KNOWN_YET, **call)
            return str(made["KeyMetadata"]["Arn"])

        return self._creation.create(thing, create)

    def alias(self, key: str) -> str:
        """Create an alias of a key and return its name."""
        thing = self._creation.next(ALIAS)
        name = f"alias/{thing.name}"
        self._creation.create(thing, lambda: self.kms.create_alias(AliasName=name, TargetKeyId=key) and key)
        return name

    def role(self, name: str = "app", *, session: str = "s1") -> Actor:
        """Create a role without policies."""
        return self.principal(ROLE, name, session=session)

    def principal(self, kind: str, name: str, *, session: str = "s1") -> Actor:
        """Create a user or a role without policies."""
        thing, principals = self._creation.next(kind, name), self.target.principals
        arn = self._creation.create(thing, lambda: principals.create(kind, thing.name, run=thing.run))
        return Actor(self.target, thing, arn, session)

    def refused_key(self, by: Callable[[], Any] | None = None, **parameters: Any) -> Callable[[], str]:
        """Return a call that asks for a key that should be refused, and says how. One that is made is cleared away."""
        thing = self._creation.next(KEY)

        def create() -> str:
            creating = by() if by else self.target.clients.creating
            return str(creating.create_key(Tags=tags_of(thing), **parameters)["KeyMetadata"]["Arn"])

        return self._refused(thing, create)

    def refused_alias(self, key: str, name: str, *, by: Callable[[], Any]) -> Callable[[], str]:
        """Return a call that asks for an alias that should be refused, and says how."""
        thing = self._creation.next(ALIAS, name)
        alias = {"AliasName": f"alias/{thing.name}", "TargetKeyId": key}
        return self._refused(thing, lambda: by().create_alias(**alias) and key)

    def _refused(self, thing: Thing, create: Callable[[], str]) -> Callable[[], str]:
        """Return a call that can be asked again until it is not refused: then, or in doubt, there may be something."""
        last: list[str] = []

        def ask() -> str:
            if thing.name in {each.name for each in self.target.journal.left}:
                return last[-1]
            last.append(outcome(self._creation.create, thing=thing, call=create))
            return last[-1]

        return ask

    def patiently(self, call: Callable[..., Any], *, refused: Sequence[str], **parameters: Any) -> Any:
        """Call until AWS knows what is new: while it refuses with one of these codes and patience lasts."""
        return patiently(lambda: call(**parameters), refused=refused, patience=self.target.patience)

    def eventually(self, call: Callable[..., Any], **parameters: Any) -> str:
        """Return the code of the error that a call ends in, once its permissions are known or patience is over."""
        return outcome(self.patiently, call=call, refused=_NOT_ALLOWED_YET, **parameters)

    def document(self, need: Need) -> Document:
        """Return a document of those that the run was given. Raises LookupError when it has become too old by now."""
        return self.target.documents.one(need, self.target.now())

    def delegated(self, *actions: str, sid: str = "Account", **more: Any) -> Statement:
        """Return the statement that leaves actions to the identity policies of the account."""
        return allow(self.account_root, actions, Sid=sid, **more)

    def without_names(self, sentence: str, key: str) -> str:
        """Return a sentence of AWS with KEY and CALLER in it, so that it is the same in every account."""
        return sentence.replace(key, "KEY").replace(self.target.clients.caller_arn, "CALLER")


@dataclass
class Actor:
    """A user or role that a probe has created."""

    target: Target
    thing: Thing
    arn: str
    session: str
    _has_policy: bool = False
    _key: AccessKey | None = None
    _kms: Any = None

    @property
    def _principals(self) -> Principals:
        return self.target.principals

    def allow(self, *statements: Statement) -> None:
        """Give it these statements as its identity policy, and one by which can be seen whether AWS knows them."""
        policy = document([*statements, may("kms:ListRetirableGrants", Sid="StrongroomKnown")])
        self._principals.allow(self.thing.kind, self.thing.name, policy)
        self._has_policy = True

    @property
    def kms(self) -> Any:
        """A KMS client that signs as this principal, as soon as KMS knows its policy or patience is over."""
        if self._kms is None:
            self._kms = self.client("kms")
            if self._has_policy:
                self._await_policy()
        return self._kms

    def client(self, service: str) -> Any:
        """Return a client of a service that signs as this principal."""
        if self._key is None:
            self._key = self._principals.sign_in(self.thing.kind, self.thing.name, self.session)
        return self.target.clients.connect(service, self._key)

    def _await_policy(self) -> None:
        """Wait until the policy counts: what is not known yet would be taken for what does not allow."""

        def ask() -> None:
            try:
                self._kms.list_retirable_grants(RetiringPrincipal=self.arn, Limit=1)
            except ClientError as error:
                if "explicit deny" not in error.response["Error"].get("Message", ""):
                    raise

        patiently(ask, refused=_NOT_ALLOWED_YET, patience=self.target.patience)

    def make_anew(self) -> None:
        """Remove the principal and create another one under the same name. Sessions of the first one end."""
        self._principals.remove(self.thing.kind, self.thing.name, run=self.thing.run)
        self.arn = self._principals.create(self.thing.kind, self.thing.name, run=self.thing.run)
        self._key, self._kms, self._has_policy = None, None, False


def tags_of(thing: Thing) -> list[dict[str, str]]:
    """Return the tags of a key: the run's, and the name that the journal has for it."""
    return [{"TagKey": TAG, "TagValue": thing.run}, {"TagKey": SERIAL_TAG, "TagValue": thing.name}]
