# SPDX-License-Identifier: Apache-2.0
"""Reads the grants of a key as `aws kms list-grants` prints them (KMS API Reference, ListGrants, GrantListEntry)."""

from __future__ import annotations

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.arn import parse_account_root, parse_key_arn
from strongroom.formats.tree import Node
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.grants import Grant, GrantConstraints, grant_principal, grant_service
from strongroom.keypolicy.principals import Principal

MAX_GRANT_LIST_BYTES = 64 * 1024 * 1024
"""50,000 grants on a key (KMS quotas, "Grants per KMS key") of about 1 KiB."""
MAX_GRANTS = 50_000
_SPEC = "KMS API Reference, ListGrants"
_REQUIRED = ("KeyId", "GrantId", "GranteePrincipal", "IssuingAccount", "Operations")


def parse_grant_list(data: bytes) -> tuple[Grant, ...]:
    """Parse the JSON of a reply to ListGrants. What it says beside the grants, and when each was made, is not read.

    Raises FormatError, also for a list that is cut off where there is more.
    """
    root = strict_json.parse(data, maximum_bytes=MAX_GRANT_LIST_BYTES, spec=_SPEC)
    top = root.members(("Grants",))
    for name in ("Truncated", "NextToken", "NextMarker"):
        if name in top and top[name].value not in (False, None):
            raise top[name].refused(
                "keypolicy.grants-truncated",
                "expected all grants of the key, found a part of them",
                remedy="Let the AWS CLI print all: without --max-items, --no-paginate and --limit.",
            )
    return tuple(_grant(each) for each in top["Grants"].items(maximum=MAX_GRANTS))


def _grant(node: Node) -> Grant:
    members = node.members(_REQUIRED)
    try:
        return Grant(
            grant_id=members["GrantId"].text(),
            key_arn=KeyArn(parse_key_arn(members["KeyId"].text()).arn),
            issuing_account=_issuer(members["IssuingAccount"]),
            grantee=_party(members, "Grantee"),
            operations=frozenset(each.text() for each in members["Operations"].items(minimum=1)),
            retiring=_party(members, "Retiring") if "RetiringPrincipal" in members else None,
            constraints=_constraints(members["Constraints"]) if "Constraints" in members else GrantConstraints(),
            name=members["Name"].string() if "Name" in members else "",
        )
    except FormatError as error:
        if error.spec == _SPEC:
            raise
        raise node.refused(error.code, error.message, remedy=error.remedy) from error


def _issuer(node: Node) -> AccountId:
    try:
        return parse_account_root(node.text()).account
    except FormatError as error:
        raise node.refused("keypolicy.grant-issuer", "expected the ARN of an account's root") from error


def _party(members: dict[str, Node], role: str) -> Principal:
    """Read a principal. A service is listed under both members."""
    service = members.get(f"{role}ServicePrincipal")
    if service is not None:
        return grant_service(service.text())
    text = members[f"{role}Principal"].text()
    return grant_principal(text) if ":" in text or ".amazonaws.com" not in text else grant_service(text)


def _constraints(node: Node) -> GrantConstraints:
    members = node.record((), ("EncryptionContextEquals", "EncryptionContextSubset", "SourceArn"))
    pairs = {name: _pairs(members[name]) for name in members if name != "SourceArn"}
    return GrantConstraints.of(
        equals=pairs.get("EncryptionContextEquals"),
        subset=pairs.get("EncryptionContextSubset"),
        source_arn=members["SourceArn"].text() if "SourceArn" in members else "",
    )


def _pairs(node: Node) -> dict[str, str]:
    return {name: value.string() for name, value in node.table()}
