# SPDX-License-Identifier: Apache-2.0
"""The Principal and NotPrincipal elements as JSON: which forms there are, reading and writing them.

IAM User Guide, "AWS JSON policy elements: Principal". CanonicalUser is S3's and refused (KMS Developer Guide, "Elements
in a key policy"). No form but `*` has a wildcard.
"""

from __future__ import annotations

import re

from strongroom.formats.names import ACCOUNT_ID, PARTITION
from strongroom.formats.tree import Node, shown
from strongroom.keypolicy.grammar import one_or_list, one_or_more
from strongroom.keypolicy.patterns import has_wildcard
from strongroom.keypolicy.principals import Principal, PrincipalKind, Principals, Sense

ANYONE = "*"
_IAM = f"arn:{PARTITION.pattern}:iam::{ACCOUNT_ID.pattern}:"
_STS = f"arn:{PARTITION.pattern}:sts::{ACCOUNT_ID.pattern}:"
_SERVICE = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
"""IAM User Guide, "AWS service principals": SERVICE.amazonaws.com, some with a Region, in China with .cn."""
_AWS_FORMS = (
    (PrincipalKind.ANYONE, re.compile(r"\*")),
    (PrincipalKind.ACCOUNT, ACCOUNT_ID),
    (PrincipalKind.ACCOUNT, re.compile(f"{_IAM}root")),
    (PrincipalKind.ENTITY, re.compile(rf"{_IAM}(?:role|user)/[\w+=,.@/-]+", re.ASCII)),
    (
        PrincipalKind.SESSION,
        re.compile(rf"{_STS}(?:assumed-role/[\w+=,.@-]+/[\w+=,.@-]+|federated-user/[\w+=,.@-]+)", re.ASCII),
    ),
    (PrincipalKind.UNIQUE_ID, re.compile(r"A(?:RO|ID)A[A-Z0-9]{12,124}", re.ASCII)),
)
_GROUPS = {PrincipalKind.SERVICE: "Service", PrincipalKind.FEDERATED: "Federated"}


def parse_principals(node: Node, sense: Sense) -> Principals:
    """Parse a Principal or NotPrincipal element. Raises FormatError."""
    if node.value == ANYONE:
        return Principals(sense, (Principal(PrincipalKind.ANYONE, ANYONE),))
    groups = node.record((), ("AWS", "Service", "Federated"))
    members = [_parse_member(name, each) for name, group in groups.items() for each in one_or_more(group)]
    if not members:
        raise node.refused("keypolicy.empty", "expected at least one principal, found none")
    return Principals(sense, tuple(members))


def _parse_member(group: str, node: Node) -> Principal:
    value = node.string()
    if group != "AWS":
        if not value or has_wildcard(value):
            raise node.refused("keypolicy.principal", f"expected a name without wildcards, found {shown(value)}")
        return Principal(PrincipalKind.SERVICE if group == "Service" else PrincipalKind.FEDERATED, value)
    found = read_aws_principal(value)
    if found is None:
        raise node.refused(
            "keypolicy.principal",
            f"expected *, an account id, or the ARN of an account root, role, user or session, found {shown(value)}",
        )
    return found


def read_aws_principal(text: str) -> Principal | None:
    """Read what may stand under `AWS` in a Principal element; None for anything else."""
    kind = next((kind for kind, pattern in _AWS_FORMS if pattern.fullmatch(text)), None)
    return None if kind is None else Principal(kind, text)


def read_service_principal(text: str) -> Principal | None:
    """Read the name of an AWS service, such as `ec2.amazonaws.com`; None for anything else."""
    return Principal(PrincipalKind.SERVICE, text) if _SERVICE.fullmatch(text) else None


def encode_principals(principals: Principals) -> str | dict[str, str | list[str]]:
    """Return the element's JSON value."""
    groups: dict[str, list[str]] = {}
    for member in principals.members:
        groups.setdefault(_GROUPS.get(member.kind, "AWS"), []).append(member.value)
    return {name: one_or_list(values) for name, values in groups.items()}
