# SPDX-License-Identifier: Apache-2.0
"""One KMS call on its way, and the row of the table that says how it is carried out."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from strongroom.ids import KeyArn
from strongroom.keypolicy.decision import Decision
from strongroom.keypolicy.grants import Grant
from strongroom.ports import Clock
from strongroom.twin.kms.keys import Alias, Place
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.recipient import Recipient
from strongroom.twin.sigv4 import AuthenticCall

Reply = dict[str, object]
"""A reply's members, for JSON. An operation without output replies nothing at all."""


class Surroundings(Protocol):
    """What else than its policy has a say about a key, or is said of it."""

    def grants_on(self, arn: KeyArn) -> Sequence[Grant]:
        """Return the grants that count for this call."""

    def aliases_of(self, arn: KeyArn) -> Sequence[Alias]:
        """Return the key's aliases."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the policies are asked, where it is not simply what the request says.

    `action` is the operation's own name where it is empty; None is the request's own context, and its own parameters
    as `condition_facts` names them. `grant` is the one that the call makes or retires; `tags` are those that it sets.
    """

    action: str = ""
    context: Mapping[str, str] | None = None
    parameters: Mapping[str, str] | None = None
    grant: Grant | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """What is known of a call so far, for the decision and for the records of it.

    `defaults` are what KMS takes for parameters that were not sent.
    `resources` are the keys and aliases it was about, in the order they were asked for. `shown`, `told`
    and `additional` are what CloudTrail adds to the parameters, to the reply and in additionalEventData.
    """

    operation: str
    authentic: AuthenticCall
    place: Place
    clock: Clock
    surroundings: Surroundings
    defaults: Mapping[str, object]
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    parameters: Parameters = field(default_factory=lambda: Parameters({}))
    resources: list[str] = field(default_factory=list)
    context: Mapping[str, str] = field(default_factory=dict)
    recipient: Recipient | None = None
    decision: Decision | None = None
    failed_pcrs: tuple[int, ...] = ()
    shown: dict[str, object] = field(default_factory=dict)
    told: dict[str, object] = field(default_factory=dict)
    additional: dict[str, object] = field(default_factory=dict)

    @property
    def key_arn(self) -> KeyArn | None:
        """The key that was asked for last."""
        return next((KeyArn(arn) for arn in reversed(self.resources) if ":key/" in arn), None)

    @property
    def caller_arn(self) -> str:
        """Who asks."""
        return self.authentic.caller.caller_arn


@dataclass(frozen=True, slots=True)
class Operation:
    """One row: who carries it out, which common members it takes, and what CloudTrail shows of it.

    `shown` are the request's members in the event, beside the context; `defaults` are shown where the caller said
    nothing. `read_only` is what CloudTrail says: using a key counts as reading.
    """

    run: Callable[[Request, Parameters], Reply | None]
    takes_context: bool = False
    takes_recipient: bool = False
    takes_tokens: bool = False
    read_only: bool = True
    shown: tuple[str, ...] = ("KeyId",)
    defaults: Mapping[str, object] = field(default_factory=dict)
    hidden_reply: tuple[str, ...] = ()
