# SPDX-License-Identifier: Apache-2.0
"""CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant (KMS API Reference, by their names).

What a grant allows, and who may retire it, is `keypolicy.evaluate`'s business.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace

from strongroom.errors import FormatError
from strongroom.keypolicy.grants import Grant, GrantConstraints
from strongroom.keypolicy.principals import Principal, PrincipalKind
from strongroom.twin.accounts import PARTITION, Directory
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import authorize, authorize_without_key, expect_usable
from strongroom.twin.kms.grant_parameters import (
    CONSTRAINTS,
    as_arn,
    constraints_of,
    expect_supported,
    one_party,
    party,
    party_of_two,
)
from strongroom.twin.kms.grant_tokens import MAX_TOKEN, find_grant, new_token
from strongroom.twin.kms.keys import KeptGrant, Key
from strongroom.twin.kms.paging import page
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.replies import end_dry_run, managed_key, seconds
from strongroom.twin.kms.request import Operation, Question, Reply, Request
from strongroom.twin.kms.store import KeyStore

MAX_GRANT_ID = 128
MAX_OPERATIONS = 64
_NAME = re.compile(r"[a-zA-Z0-9:/_-]+")


class Grants:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    def operations(self) -> dict[str, Operation]:
        """Return the rows of this family."""
        parties = ("GranteePrincipal", "GranteeServicePrincipal", "RetiringPrincipal", "RetiringServicePrincipal")
        creation = ("KeyId", *parties, "Operations", "Constraints", "Name")
        listing = ("KeyId", "GrantId", "GranteePrincipal", "GranteeServicePrincipal", "Limit", "Marker")
        retiring = ("RetiringPrincipal", "RetiringServicePrincipal", "Limit", "Marker")
        return {
            "CreateGrant": Operation(
                self.create_grant, takes_tokens=True, read_only=False, shown=creation, hidden_reply=("GrantToken",)
            ),
            "ListGrants": Operation(self.list_grants, shown=listing),
            "ListRetirableGrants": Operation(self.list_retirable_grants, shown=retiring),
            "RetireGrant": Operation(self.retire_grant, read_only=False, shown=()),
            "RevokeGrant": Operation(self.revoke_grant, read_only=False, shown=("KeyId", "GrantId")),
        }

    def create_grant(self, request: Request, parameters: Parameters) -> Reply:
        """CreateGrant. The same grant under the same name is made once, and gets another token."""
        key = self._store.resolve_key(request.place, parameters.text("KeyId"))
        grant = self._read(request, parameters, key)
        authorize(request, key, Question(grant=grant))
        expect_usable(key)
        end_dry_run(parameters)
        request.told["KeyId"] = key.arn  # CloudTrail shows it, though it is no part of the reply
        kept = self._store.add_grant(KeptGrant(grant, request.clock.now(), secrets.token_bytes(32)))
        return {"GrantToken": new_token(kept), "GrantId": kept.grant.grant_id}

    def list_grants(self, request: Request, parameters: Parameters) -> Reply:
        """ListGrants: of one key; by id or grantee, if asked."""
        grantee, service = party(parameters, "GranteePrincipal"), party(parameters, "GranteeServicePrincipal")
        key = managed_key(request, parameters, self._store)
        grant_id = parameters.optional_text("GrantId", maximum=MAX_GRANT_ID)
        found = [
            kept
            for kept in self._store.grants_on(key.arn)
            if grant_id in {None, kept.grant.grant_id} and _is(kept.grant.grantee, grantee or service)
        ]
        return _listed(parameters, found)

    def list_retirable_grants(self, request: Request, parameters: Parameters) -> Reply:
        """ListRetirableGrants: of a principal of the caller's account, whoever owns the keys."""
        retiring = party(parameters, "RetiringPrincipal")
        if retiring is None:
            raise AwsFault("ValidationException", "RetiringPrincipal is required: the other one is for AWS services.")
        if request.place.account_id not in retiring.value:
            raise AwsFault("InvalidArnException", f"{retiring.value} is not of account {request.place.account_id}.")
        authorize_without_key(request)
        grants = self._store.grants_in(request.place.region)
        return _listed(
            parameters, [kept for kept in grants if kept.grant.retiring and _is(kept.grant.retiring, retiring)]
        )

    def retire_grant(self, request: Request, parameters: Parameters) -> None:
        """RetireGrant, by a token, or by key and id."""
        kept = self._retirable(request, parameters)
        request.additional["grantId"] = kept.grant.grant_id
        authorize(request, self._store.key(kept.grant.key_arn), Question(grant=kept.grant))
        end_dry_run(parameters)
        self._store.remove_grant(kept)

    def revoke_grant(self, request: Request, parameters: Parameters) -> None:
        """RevokeGrant."""
        key = managed_key(request, parameters, self._store)
        kept = self._by_id(key, parameters)
        end_dry_run(parameters)
        self._store.remove_grant(kept)

    def _retirable(self, request: Request, parameters: Parameters) -> KeptGrant:
        token = parameters.optional_text("GrantToken", maximum=MAX_TOKEN)
        named = [parameters.optional_text(name) for name in ("KeyId", "GrantId")]
        if (token is None) == (None in named) or (token and any(named)):
            raise AwsFault("ValidationException", "Specify either a grant token, or a key ARN and a grant ID.")
        if token is not None:
            return find_grant(token, self._store.grants_in(request.place.region))
        return self._by_id(self._store.resolve_key(request.place, parameters.text("KeyId")), parameters)

    def _by_id(self, key: Key, parameters: Parameters) -> KeptGrant:
        grant_id = parameters.text("GrantId", maximum=MAX_GRANT_ID)
        kept = next((each for each in self._store.grants_on(key.arn) if each.grant.grant_id == grant_id), None)
        if kept is None:
            raise AwsFault("NotFoundException", f"Grant ID {grant_id} not found")
        return kept

    def _read(self, request: Request, parameters: Parameters, key: Key) -> Grant:
        """Read the grant that a call asks for. Raises AwsFault."""
        operations = frozenset(parameters.texts("Operations", maximum=MAX_OPERATIONS))
        try:
            grant = Grant(
                grant_id=secrets.token_hex(32),
                key_arn=key.arn,
                issuing_account=request.place.account_id,
                grantee=self._pinned(one_party(parameters, "Grantee")),
                operations=operations,
                retiring=self._pinned_or_none(party_of_two(parameters, "Retiring")),
                constraints=constraints_of(parameters),
                name=parameters.matching("Name", _NAME, maximum=256) or "",
            )
        except FormatError as error:
            raise AwsFault("ValidationException", str(error)) from error
        expect_supported(key, grant)
        return grant

    def _pinned_or_none(self, principal: Principal | None) -> Principal | None:
        return None if principal is None else self._pinned(principal)

    def _pinned(self, principal: Principal) -> Principal:
        """Bind a user or role to the unique id it has now, as in policies. Raises AwsFault (InvalidArnException)."""
        if principal.kind is not PrincipalKind.ENTITY:
            return principal
        pinned_id = self._directory.unique_ids().get(principal.value)
        if pinned_id is None:
            raise AwsFault("InvalidArnException", f"{principal.value} does not exist.")
        return replace(principal, pinned_id=pinned_id)


def _is(principal: Principal, wanted: Principal | None) -> bool:
    return wanted is None or (principal.kind, as_arn(principal)) == (wanted.kind, as_arn(wanted))


def _listed(parameters: Parameters, found: list[KeptGrant]) -> Reply:
    shown, more = page(parameters, found, name=lambda kept: kept.grant.grant_id, default=50, maximum=100)
    return {"Grants": [_entry(kept) for kept in shown], **more}


def _entry(kept: KeptGrant) -> Reply:
    grant = kept.grant
    entry: Reply = {
        "KeyId": grant.key_arn,
        "GrantId": grant.grant_id,
        "CreationDate": seconds(kept.created),
        "IssuingAccount": f"arn:{PARTITION}:iam::{grant.issuing_account}:root",
        "Operations": sorted(grant.operations),
        **_named("Grantee", grant.grantee),
    }
    if grant.retiring is not None:
        entry |= _named("Retiring", grant.retiring)
    if grant.name:
        entry["Name"] = grant.name
    constraints = _listed_constraints(grant.constraints)
    return {**entry, "Constraints": constraints} if constraints else entry


def _named(role: str, principal: Principal) -> Reply:
    """Name a principal. A service is listed under both members (KMS API Reference, ListGrants)."""
    named: Reply = {f"{role}Principal": as_arn(principal)}
    return named | {f"{role}ServicePrincipal": principal.value} if principal.kind is PrincipalKind.SERVICE else named


def _listed_constraints(constraints: GrantConstraints) -> Reply:
    listed: Reply = {"SourceArn": constraints.source_arn} if constraints.source_arn else {}
    pairs = (constraints.encryption_context_equals, constraints.encryption_context_subset)
    return listed | {name: dict(each) for name, each in zip(CONSTRAINTS, pairs, strict=True) if each is not None}
