# SPDX-License-Identifier: Apache-2.0
"""What conditions can see of the caller and of the credentials he signed with.

IAM User Guide, "AWS global condition context keys" (availability of each) and "IAM policy elements: Variables",
"Principal key values" (what aws:userid and aws:username are for each kind of caller).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from strongroom.formats.times import aws_time
from strongroom.keypolicy.global_keys import PRINCIPAL_TAG
from strongroom.keypolicy.principals import Caller


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the caller signed with. An empty text, or None, is a fact that these credentials do not have.

    `issued_at` (aware) is there for temporary credentials only; so is `multi_factor`, whether a second factor was used,
    and `multi_factor_at` says when. `tags` are those of the principal and of the session. `claims` maps keys of an
    identity provider, such as `cognito-identity.amazonaws.com:sub`, to what it said.
    """

    issued_at: datetime | None = None
    multi_factor: bool | None = None
    multi_factor_at: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    organization_paths: tuple[str, ...] = ()
    federated_provider: str = ""
    source_identity: str = ""
    instance_arn: str = ""
    instance_vpc: str = ""
    instance_private_ip: str = ""
    claims: Mapping[str, str] = field(default_factory=dict)


def identity_facts(caller: Caller) -> dict[str, tuple[str, ...]]:
    """Return what is known of the caller by himself."""
    facts = {
        "kms:calleraccount": str(caller.account),
        "aws:principalaccount": str(caller.account),
        "aws:principalarn": caller.principal_arn,
        "aws:principalisawsservice": "true" if caller.is_service else "false",
        "aws:principalservicename": caller.arn if caller.is_service else "",
        "aws:principalservicenameslist": caller.arn if caller.is_service else "",
        "aws:principaltype": _principal_type(caller),
        "aws:userid": _user_id(caller),
        "aws:username": caller.arn.rpartition("/")[2] if ":user/" in caller.arn else "",
    }
    return {name: (value,) for name, value in facts.items() if value}


def _principal_type(caller: Caller) -> str:
    if caller.is_service:
        return ""
    if caller.is_root_user:
        return "Account"
    if caller.is_federated_user:
        return "FederatedUser"
    return "AssumedRole" if caller.role_arn else "User"


def _user_id(caller: Caller) -> str:
    """Root: the account. User: his id. Session: the role's id and its name. Federated user: account and name."""
    if caller.is_root_user:
        return str(caller.account)
    if caller.is_federated_user:
        return f"{caller.account}:{caller.arn.rpartition('/')[2]}"
    if caller.role_arn and caller.unique_id:
        return f"{caller.unique_id}:{caller.arn.rpartition('/')[2]}"
    return caller.unique_id


def credential_facts(caller: Caller, credentials: Credentials, now: datetime) -> dict[str, tuple[str, ...]]:
    """Return what is known of the credentials at `now`. A service that acts for itself has none."""
    if caller.is_service:
        return {}
    facts = {
        "aws:federatedprovider": credentials.federated_provider,
        "aws:sourceidentity": credentials.source_identity,
        "ec2:sourceinstancearn": credentials.instance_arn,
        "aws:ec2instancesourcevpc": credentials.instance_vpc,
        "aws:ec2instancesourceprivateipv4": credentials.instance_private_ip,
        **{name.lower(): value for name, value in credentials.claims.items()},
        **{f"{PRINCIPAL_TAG.lower()}{name.lower()}": value for name, value in credentials.tags.items()},
    }
    if credentials.issued_at is not None:
        facts["aws:tokenissuetime"] = aws_time(credentials.issued_at)
    if credentials.multi_factor is not None:
        facts["aws:multifactorauthpresent"] = "true" if credentials.multi_factor else "false"
    if credentials.multi_factor_at is not None:
        facts["aws:multifactorauthage"] = str((now - credentials.multi_factor_at) // timedelta(seconds=1))
    found: dict[str, tuple[str, ...]] = {name: (value,) for name, value in facts.items() if value}
    if credentials.organization_paths:
        return {**found, "aws:principalorgpaths": credentials.organization_paths}
    return found
