# SPDX-License-Identifier: Apache-2.0
"""Reaches the account that boto3 is configured for: by profile or variables, and AWS_ENDPOINT_URL where it is set."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from conformance.aws.principals import AccessKey
from conformance.aws.target import Clients

ATTEMPTS = 8
"""Of one call, with botocore's growing pauses in between: a new account's KMS takes five CreateKey a second."""


class NoRegionError(Exception):
    """Neither the profile nor a variable says which Region is meant."""


def connect(session: Any = None) -> Clients:
    """Return the clients of a session, boto3's own without one. Raises NoRegionError and what botocore raises.

    They send parameters as they are: what is wrong on purpose has to reach AWS.
    """
    session = session or boto3.Session()
    if not session.region_name:
        raise NoRegionError("no Region: set AWS_REGION")

    def client(service: str, key: AccessKey | None = None, *, attempts: int = ATTEMPTS) -> Any:
        config = Config(retries={"mode": "standard", "total_max_attempts": attempts}, parameter_validation=False)
        own = {"aws_access_key_id": key.id, "aws_secret_access_key": key.secret} if key else {}
        token = {"aws_session_token": key.token} if key and key.token else {}
        return session.client(service, config=config, **own, **token)

    identity = client("sts").get_caller_identity()
    return Clients(
        kms=client("kms"),
        creating=client("kms", attempts=1),
        account=identity["Account"],
        region=session.region_name,
        partition=identity["Arn"].split(":")[1],
        caller_arn=identity["Arn"],
        connect=client,
    )
