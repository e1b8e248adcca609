# SPDX-License-Identifier: Apache-2.0
"""The account that a run asks, and how it is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conformance.aws.documents import Documents
from conformance.aws.journal import Journal
from conformance.aws.principals import Principals


@dataclass(frozen=True)
class Clients:
    """How the account is reached. `connect` makes a client of a service, for an access key or for the runner.

    `creating` never sends a call twice by itself: a second CreateKey would make a second key.
    """

    kms: Any
    creating: Any
    account: str
    region: str
    partition: str
    caller_arn: str
    connect: Callable[..., Any]

    @property
    def root(self) -> str:
        """The account as a principal."""
        return f"arn:{self.partition}:iam::{self.account}:root"


@dataclass(frozen=True)
class Target:
    """One account in one region, for one run. `patience` is how many seconds AWS may need to know what is new."""

    clients: Clients
    principals: Principals
    journal: Journal
    documents: Documents
    run: str
    now: Callable[[], datetime]
    patience: float = 0
