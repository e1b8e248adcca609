# SPDX-License-Identifier: Apache-2.0
"""AWS's global condition keys, as far as a request to KMS can have them.

IAM User Guide, "AWS global condition context keys" (each with its availability, type and number of values) and "IAM
policy elements: Variables" (keys of identity providers); KMS Developer Guide, "AWS global condition keys".
"""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.keypolicy.condition_key import ConditionKey, Source
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.operators import ValueKind

PRINCIPAL_TAG, RESOURCE_TAG, REQUEST_TAG = "aws:PrincipalTag/", "aws:ResourceTag/", "aws:RequestTag/"

_ON_KEY = frozenset(action for action, row in OPERATIONS.items() if row.on_key)
_TAGGING = frozenset({"kms:CreateKey", "kms:TagResource", "kms:UntagResource", "kms:ReplicateKey"})


def _of_caller() -> Iterator[ConditionKey]:
    for name in ("PrincipalAccount", "PrincipalType", "userid", "username", "PrincipalOrgID", "PrincipalServiceName"):
        yield ConditionKey(f"aws:{name}", Source.CALLER)
    yield ConditionKey("aws:PrincipalArn", Source.CALLER, ValueKind.ARN)
    yield ConditionKey("aws:PrincipalIsAWSService", Source.CALLER, ValueKind.BOOL)
    yield ConditionKey("aws:PrincipalOrgPaths", Source.CALLER, multivalued=True)
    yield ConditionKey("aws:PrincipalServiceNamesList", Source.CALLER, multivalued=True)
    yield ConditionKey(PRINCIPAL_TAG, Source.CALLER)


def _of_credentials() -> Iterator[ConditionKey]:
    for name in ("aws:FederatedProvider", "aws:SourceIdentity"):
        yield ConditionKey(name, Source.CREDENTIALS)
    for claim in ("aud", "sub"):
        yield ConditionKey(f"cognito-identity.amazonaws.com:{claim}", Source.CREDENTIALS)
    yield ConditionKey("aws:MultiFactorAuthPresent", Source.CREDENTIALS, ValueKind.BOOL)
    yield ConditionKey("aws:MultiFactorAuthAge", Source.CREDENTIALS, ValueKind.NUMERIC)
    yield ConditionKey("aws:TokenIssueTime", Source.CREDENTIALS, ValueKind.DATE)
    # Of credentials that an EC2 instance got for its role.
    yield ConditionKey("ec2:SourceInstanceARN", Source.CREDENTIALS, ValueKind.ARN)
    yield ConditionKey("aws:Ec2InstanceSourceVpc", Source.CREDENTIALS)
    yield ConditionKey("aws:Ec2InstanceSourcePrivateIPv4", Source.CREDENTIALS, ValueKind.IP)


def _of_network() -> Iterator[ConditionKey]:
    for name in ("RequestedRegion", "SourceVpc", "SourceVpce", "Referer", "UserAgent"):
        yield ConditionKey(f"aws:{name}", Source.NETWORK)
    yield ConditionKey("aws:SecureTransport", Source.NETWORK, ValueKind.BOOL)
    for name in ("SourceIp", "VpcSourceIp"):
        yield ConditionKey(f"aws:{name}", Source.NETWORK, ValueKind.IP)


def _of_service() -> Iterator[ConditionKey]:
    yield ConditionKey("aws:ViaAWSService", Source.SERVICE, ValueKind.BOOL)
    yield ConditionKey("aws:CalledVia", Source.SERVICE, multivalued=True)
    for name in ("CalledViaFirst", "CalledViaLast", "SourceAccount", "SourceOrgID"):
        yield ConditionKey(f"aws:{name}", Source.SERVICE)
    yield ConditionKey("aws:SourceOrgPaths", Source.SERVICE, multivalued=True)
    yield ConditionKey("aws:SourceArn", Source.SERVICE, ValueKind.ARN)


def _of_resource() -> Iterator[ConditionKey]:
    for name in ("ResourceAccount", "ResourceOrgID"):
        yield ConditionKey(f"aws:{name}", Source.KEY, operations=_ON_KEY)
    yield ConditionKey("aws:ResourceOrgPaths", Source.KEY, multivalued=True, operations=_ON_KEY)
    tagged = _ON_KEY | {"kms:CreateKey"}
    yield ConditionKey(RESOURCE_TAG, Source.KEY, operations=tagged, identity_only=True)
    yield ConditionKey(REQUEST_TAG, Source.PARAMETER, operations=_TAGGING)
    yield ConditionKey("aws:TagKeys", Source.PARAMETER, multivalued=True, operations=_TAGGING)


GLOBAL_KEYS: tuple[ConditionKey, ...] = (
    ConditionKey("aws:CurrentTime", Source.CLOCK, ValueKind.DATE),
    ConditionKey("aws:EpochTime", Source.CLOCK, ValueKind.TIMESTAMP),
    *_of_caller(),
    *_of_credentials(),
    *_of_network(),
    *_of_service(),
    *_of_resource(),
)
