# SPDX-License-Identifier: Apache-2.0
"""Whether somebody may call IAM or STS: identity policies, and a role's trust policy.

KMS's own evaluation (`keypolicy.evaluate`) knows every condition of KMS. Here conditions see the caller, the time and
where the call came from; one on anything else, such as `sts:ExternalId`, never lets an Allow apply and never keeps a
Deny from applying. (IAM User Guide, "Policy evaluation logic".)
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from strongroom.errors import FormatError
from strongroom.keypolicy.caller_facts import credential_facts as facts_of_credentials
from strongroom.keypolicy.caller_facts import identity_facts
from strongroom.keypolicy.grammar import one_or_more, parse_policy_text
from strongroom.keypolicy.model import Effect, KeyPolicy, Statement, parse_key_policy_leniently
from strongroom.keypolicy.principals import Reach
from strongroom.twin.accounts import Principal
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.condition_facts import credential_facts
from strongroom.twin.sigv4 import AuthenticCall
from strongroom.twin.tls import LOOPBACK

ASSUME_ROLE = "sts:AssumeRole"
_DENIED = 403
_RESOURCES = {"Resource", "NotResource"}


def parse_trust_policy(text: str) -> KeyPolicy:
    """Parse a role's trust policy: as a key policy, but its statements have no resource, which is the role.

    Raises FormatError, whose message names the place in the document.
    """
    top = parse_policy_text(text)
    statements = []
    for each in one_or_more(top.record(("Version", "Statement"), ("Id",))["Statement"]):
        members = dict(each.table())
        if members.keys() & _RESOURCES:
            raise each.refused("keypolicy.trust-resource", "expected no Resource in a trust policy, found one")
        statements.append({name: node.value for name, node in members.items()} | {"Resource": "*"})
    document = {name: node.value for name, node in top.table()} | {"Statement": statements}
    return parse_key_policy_leniently(json.dumps(document))


@dataclass(frozen=True, slots=True)
class Question:
    """Whether the one who signed this call may do that to this resource now."""

    call: AuthenticCall
    action: str
    resource: str
    now: datetime

    def expect_allowed(self) -> None:
        """Require that the caller's identity policies allow it. Raises AwsFault (AccessDenied)."""
        own = self._applying(self._own_statements())
        if any(effect is Effect.DENY for effect, _ in own):
            raise self._denied("with an explicit deny in an identity-based policy")
        if not own:
            raise self._denied(self._lacking("identity"))

    def expect_assumable(self, role: Principal | None) -> None:
        """Require that `role` trusts the caller: by name, or by account, and then his own policies allow it too.

        From another account it takes both (IAM User Guide, "Cross-account policy evaluation logic"). A role that does
        not exist is refused in the same words. Raises AwsFault (AccessDenied).
        """
        if role is None or not role.trust:
            raise self._denied(self._lacking("resource"))
        own = self._applying(self._own_statements())
        trusting = self._applying(_trust_of(role).statements)
        if any(effect is Effect.DENY for effect, _ in (*own, *trusting)):
            raise self._denied("with an explicit deny")
        if not trusting:
            raise self._denied(self._lacking("resource"))
        named = any(reach is not Reach.ACCOUNT for _, reach in trusting)
        if not own and not (named and role.account_id == self.call.caller.principal.account_id):
            raise self._denied(self._lacking("identity"))

    def _own_statements(self) -> list[Statement]:
        return [each for policy in self.call.caller.principal.policies for each in policy.statements]

    def _applying(self, statements: Iterable[Statement]) -> list[tuple[Effect, Reach]]:
        caller, context = self.call.caller.caller, _context(self.call, self.now)
        found: list[tuple[Effect, Reach]] = []
        for each in statements:
            reach = Reach.DIRECT if each.principals is None else each.principals.reach(caller)
            about = each.actions.covers(self.action.lower()) and each.resources.covers(self.resource, context)
            if reach is not Reach.NONE and about and all(condition.holds(context) for condition in each.conditions):
                found.append((each.effect, reach))
        return found

    def _lacking(self, kind: str) -> str:
        return f"because no {kind}-based policy allows the {self.action} action"

    def _denied(self, why: str) -> AwsFault:
        who = self.call.caller.caller_arn
        said = f"User: {who} is not authorized to perform: {self.action} on resource: {self.resource} {why}"
        return AwsFault("AccessDenied", said, status=_DENIED)


def _context(call: AuthenticCall, now: datetime) -> dict[str, tuple[str, ...]]:
    caller = call.caller.caller
    return {
        **identity_facts(caller),
        **facts_of_credentials(caller, credential_facts(call.caller), now),
        "aws:currenttime": (f"{now:%Y-%m-%dT%H:%M:%SZ}",),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:requestedregion": (call.scope.region,),
        "aws:securetransport": ("true",),
        "aws:sourceip": (LOOPBACK,),
        "aws:useragent": (call.call.headers.get("user-agent", ""),),
    }


def _trust_of(role: Principal) -> KeyPolicy:
    try:
        return parse_trust_policy(role.trust)
    except FormatError as error:
        raise RuntimeError(f"the trust policy of {role.arn} was not looked at when it was given") from error
