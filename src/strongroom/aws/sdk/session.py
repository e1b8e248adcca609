# SPDX-License-Identifier: Apache-2.0
"""Clients from a profile, a region and an endpoint, as the AWS CLI finds them, with errors of ours.

Absent arguments fall back to AWS_PROFILE, AWS_REGION or AWS_DEFAULT_REGION, AWS_ENDPOINT_URL and ~/.aws, by botocore's
own rules; only AWS_REGION is read here, because boto3 does not know it.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from botocore.loaders import Loader, create_loader
from botocore.session import Session

from strongroom.aws import kms_errors
from strongroom.errors import ServiceFault, StrongroomError, UsageError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_sts import STSClient

_CONFIG = Config(
    connect_timeout=10,
    read_timeout=30,
    retries={"mode": "standard", "max_attempts": 3},
    user_agent_extra="strongroom",
)
_LOOPBACK = re.compile(r"https?://(127\.|localhost\b|\[::1\])")
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, ProfileNotFound, SSOError, TokenRetrievalError)


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key that is handed over instead of found. Printing it shows no secret."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who AWS says we are."""

    account_id: str
    arn: str


class AwsSession:
    """Makes clients. `endpoint_url` is for the twin; None means AWS, or AWS_ENDPOINT_URL where that is set.

    With an `access_key` no profile and no environment variable is asked for one.
    """

    def __init__(
        self,
        *,
        profile: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        access_key: AccessKey | None = None,
    ) -> None:
        with translated():
            found = Session(profile=profile)
            found.register_component("data_loader", _descriptions(found.get_config_variable("data_path")))
            self._session = boto3.Session(
                botocore_session=found,
                profile_name=profile,
                region_name=region or os.environ.get("AWS_REGION"),
                aws_access_key_id=access_key.key_id if access_key else None,
                aws_secret_access_key=access_key.secret if access_key else None,
                aws_session_token=access_key.token if access_key else None,
            )
        self._endpoint_url = endpoint_url

    @property
    def region(self) -> str | None:
        """The region that clients use when none is named, or None."""
        return self._session.region_name

    def kms(self, *, region: str | None = None) -> KMSClient:
        """Return a KMS client. Raises UsageError without a region or credentials."""
        with translated():
            return self._session.client("kms", region_name=region, endpoint_url=self._endpoint_url, config=_CONFIG)

    def ec2(self, *, region: str | None = None) -> EC2Client:
        """Return an EC2 client. Raises UsageError without a region or credentials."""
        with translated():
            return self._session.client("ec2", region_name=region, endpoint_url=self._endpoint_url, config=_CONFIG)

    def sts(self, *, region: str | None = None) -> STSClient:
        """Return an STS client. Raises UsageError without a region or credentials."""
        with translated():
            return self._session.client("sts", region_name=region, endpoint_url=self._endpoint_url, config=_CONFIG)

    def identity(self, *, region: str | None = None) -> Identity:
        """Return whose credentials these are. Raises UsageError, ServiceFault."""
        client = self.sts(region=region)
        with translated():
            reply = client.get_caller_identity()
        return Identity(account_id=reply["Account"], arn=reply["Arn"])


@functools.cache
def _descriptions(data_path: str | None) -> Loader:
    """Return what botocore knows of AWS's services, read once a process: to read it takes longer than a call."""
    return create_loader(data_path)


class Translation(Protocol):
    """What the error names of one service mean for us."""

    def __call__(self, name: str, message: str, *, status: int) -> StrongroomError:
        """Return our error for an error reply."""


@contextmanager
def translated(translate: Translation = kms_errors.translate) -> Iterator[None]:
    """Turn what boto3 raises into errors of `strongroom.errors`; replies by `translate`, which knows the service."""
    try:
        yield
    except ClientError as error:
        reply = error.response
        status = reply.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        about = reply.get("Error", {})
        raise translate(
            about.get("Code", "an error without a name"), about.get("Message", ""), status=status
        ) from error
    except _NO_CREDENTIALS as error:
        raise UsageError(
            "aws.credentials",
            f"expected AWS credentials: {error}",
            remedy="Name a profile that exists, or set AWS_PROFILE, or sign in with the AWS CLI. "
            'The profiles of a twin are there after `eval "$(strongroom twin env vendor)"`.',
        ) from error
    except NoRegionError as error:
        raise UsageError(
            "aws.region", "expected a region, found none", remedy="Name one, or set AWS_REGION."
        ) from error
    except (ParamValidationError, ValueError) as error:
        raise UsageError("aws.parameters", f"AWS's client refuses the call: {error}") from error
    except (HTTPClientError, BotoCoreError) as error:
        raise ServiceFault(
            "aws.unavailable", f"no answer from AWS: {error}", retryable=True, remedy=_way(str(error))
        ) from error


def _way(message: str) -> str:
    """Return what to look at when nobody answers: on this machine it is a twin that was meant."""
    if _LOOPBACK.search(message):
        return "Does a twin run? `strongroom twin status` says so, and `strongroom twin up --detach` starts one."
    return "Check the endpoint, the way to it (DNS, route, security group) and its TLS roots."
