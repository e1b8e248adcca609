# SPDX-License-Identifier: Apache-2.0
"""The vendor's account, as commands that change keys reach it: whose credentials, where to, and said first."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from strongroom.cli.option_group import option_group
from strongroom.cli.output import error_console
from strongroom.formats.partition import Profile
from strongroom.formats.project_model import Target
from strongroom.ids import AccountId, Region
from strongroom.keypolicy.lockout import expect_key_account, expect_not_locked_out
from strongroom.keypolicy.spec import VendorSpec

if TYPE_CHECKING:
    from strongroom.aws.sdk.key_inventory import SdkKeyInventory
    from strongroom.aws.sdk.kms import SdkKeyAdmin
    from strongroom.aws.sdk.session import AwsSession
    from strongroom.aws.sdk.trial import SdkTrialKms

session_options = option_group(
    click.option("--profile", metavar="NAME", help="A profile of the AWS CLI. Default: AWS_PROFILE, or the target's."),
    click.option("--endpoint-url", metavar="URL", help="Another endpoint than the target's."),
)
"""The options that say with whose credentials, and where to."""


@dataclass(frozen=True)
class VendorSession:
    """Credentials for the vendor's account of a target."""

    target: Target
    profile: str | None
    endpoint_url: str | None

    def announce(self, regions: Iterable[Region]) -> None:
        """Say on stderr what is about to be changed, and where."""
        named = ", ".join(dict.fromkeys(regions))
        where = f" at {self._endpoint}" if self._endpoint else ""
        account = self.target.vendor_account
        error_console().print(f"Target {self.target.name}: account {account}, region {named}{where}", markup=False)

    def expect_account(self, region: Region) -> None:
        """Raise KeyRefused for credentials of another account, whom KMS would tell only that it says no.

        Raises UsageError, ServiceFault, too.
        """
        expect_key_account(self.target.vendor_account, AccountId(self._session.identity(region=region).account_id))

    def expect_not_locked_out(self, vendor: VendorSpec, region: Region) -> None:
        """Raise KeyRefused unless the caller could replace a policy of this vendor again.

        Raises UsageError, ServiceFault, too.
        """
        caller = self._session.identity(region=region)
        expect_not_locked_out(vendor, account=AccountId(caller.account_id), caller_arn=caller.arn)

    def admin(self, region: Region) -> SdkKeyAdmin:
        """Return the keys of a region. Raises UsageError without credentials."""
        from strongroom.aws.sdk.kms import SdkKeyAdmin  # noqa: PLC0415 -- loads boto3

        return SdkKeyAdmin(self._session.kms(region=region))

    def inventory(self, region: Region) -> SdkKeyInventory:
        """Return what finds and names keys of a region. Raises UsageError without credentials."""
        from strongroom.aws.sdk.key_inventory import SdkKeyInventory  # noqa: PLC0415

        return SdkKeyInventory(self._session.kms(region=region))

    def trial(self, region: Region) -> SdkTrialKms:
        """Return what tries policies out in a region. Raises UsageError without credentials."""
        from strongroom.aws.sdk.trial import SdkTrialKms  # noqa: PLC0415

        return SdkTrialKms(self._session.kms(region=region))

    @property
    def is_aws(self) -> bool:
        """Tell whether this leads to real keys: a rehearsal without an endpoint would, too."""
        elsewhere = self._endpoint or os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT_URL_KMS")
        return self.target.profile is Profile.PRODUCTION or not elsewhere

    @property
    def _endpoint(self) -> str | None:
        return self.endpoint_url or self.target.endpoint

    @functools.cached_property
    def _session(self) -> AwsSession:
        from strongroom.aws.sdk.session import AwsSession  # noqa: PLC0415

        return AwsSession(profile=chosen_profile(self.target, self.profile), endpoint_url=self._endpoint)


def chosen_profile(target: Target, given: str | None) -> str | None:
    """Return the profile: `given`, else the target's; None where AWS_PROFILE names one, which goes first."""
    return given or (None if os.environ.get("AWS_PROFILE") else target.aws_profile)


def pause(length: timedelta) -> None:
    """Wait, as `flows.change_policy` asks for."""
    time.sleep(length.total_seconds())
