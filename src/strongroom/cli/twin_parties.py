# SPDX-License-Identifier: Apache-2.0
"""Who takes part in a rehearsal on the twin: the vendor's staff, a customer's role, and a shelf of bundles."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from strongroom.aws.sdk.kms import SdkKeyAdmin, SdkSealingKms
from strongroom.aws.sdk.session import AccessKey, AwsSession
from strongroom.ids import AccountId
from strongroom.twin.accounts import FULL_ACCESS, Credentials
from strongroom.twin.server import Twin

APP_ROLE = "app"
"""The role that a customer's instances run under."""


@contextlib.contextmanager
def away_from_aws() -> Iterator[None]:
    """Hide the user's AWS settings and proxies from boto3 within the block: all that it is to find is the twin.

    A proxy would be handed what goes to the twin, data keys among it. The agent's own clients look at no variable.
    """
    before = dict(os.environ)
    for name in before:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            del os.environ[name]
    os.environ.update(AWS_CONFIG_FILE=os.devnull, AWS_SHARED_CREDENTIALS_FILE=os.devnull, NO_PROXY="*")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def session(twin: Twin, credentials: Credentials) -> AwsSession:
    """Return boto3 clients for one principal of the twin."""
    key = AccessKey(credentials.access_key_id, credentials.secret_access_key, credentials.session_token)
    return AwsSession(region=twin.region, endpoint_url=twin.endpoint_url, access_key=key)


@dataclass(frozen=True, slots=True)
class KeyStaff:
    """Who administers the vendor's keys, and who seals: each with an access key of its own."""

    twin: Twin
    engineer: Credentials
    sealer: Credentials

    @property
    def admin(self) -> SdkKeyAdmin:
        """Key administration, by the engineer."""
        return SdkKeyAdmin(session(self.twin, self.engineer).kms())

    @property
    def sealing(self) -> SdkSealingKms:
        """Wrapping, by the sealer."""
        return SdkSealingKms(session(self.twin, self.sealer).kms())


def hire(twin: Twin, account: AccountId) -> KeyStaff:
    """Create an engineer and a sealer in the vendor's account, which exists."""
    engineer = twin.create_user(account, "engineer", policies=[FULL_ACCESS])
    return KeyStaff(twin, engineer, sealer=take_role(twin, account, "sealer"))


def take_role(twin: Twin, account: AccountId, name: str) -> Credentials:
    """Create a role with all rights that IAM can give, and return a session of it."""
    role = twin.create_role(account, name, policies=[FULL_ACCESS])
    return twin.directory.open_session(role, session_name="rehearsal", now=twin.clock.now())


def create_app_role(twin: Twin, account: AccountId, *, vendor: AccountId) -> None:
    """Create the role of a customer's instances: it may ask the vendor's keys to open, and nothing else."""
    resource = f"arn:aws:kms:*:{vendor}:key/*"
    statement = f'{{"Effect":"Allow","Action":"kms:Decrypt","Resource":"{resource}"}}'
    twin.create_role(account, APP_ROLE, policies=[f'{{"Version":"2012-10-17","Statement":[{statement}]}}'])


@dataclass(frozen=True, slots=True)
class Shelf:
    """A `BundleSource` in whoever's hands: it serves what it was given under the names it was given."""

    bundles: Mapping[str, bytes]

    def fetch(self, name: str) -> bytes:
        """Return the bytes shelved under `name`."""
        return self.bundles[name]
