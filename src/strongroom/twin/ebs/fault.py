# SPDX-License-Identifier: Apache-2.0
"""The errors of the EBS direct APIs: a name, a status, a sentence and a reason (EBS API model, exceptions)."""

from __future__ import annotations

from strongroom.ids import SnapshotId
from strongroom.twin.fault import AwsFault

MAX_MESSAGE = 256
"""Of an error, in characters."""


class EbsFault(AwsFault):
    """An error reply with its Reason, where the error has one."""

    def __init__(self, name: str, message: str, *, status: int, reason: str = "") -> None:
        super().__init__(name, message, status=status, members={"Reason": reason} if reason else {})
        self.reason = reason


def invalid(reason: str, message: str) -> EbsFault:
    """Make the error of a request that cannot be right."""
    return EbsFault("ValidationException", message, status=400, reason=reason)


def invalid_parameter(message: str) -> EbsFault:
    """Make the error of a parameter's value."""
    return invalid("INVALID_PARAMETER_VALUE", message[:MAX_MESSAGE])


def no_snapshot(snapshot_id: SnapshotId) -> EbsFault:
    """Make the error of a snapshot that is not there, or not for this caller: which of the two is not said."""
    sentence = f"The snapshot '{snapshot_id}' does not exist."
    return EbsFault("ResourceNotFoundException", sentence, status=404, reason="SNAPSHOT_NOT_FOUND")


def denied(message: str, reason: str = "UNAUTHORIZED_ACCOUNT") -> EbsFault:
    """Make the error of a caller whose policies do not allow it."""
    return EbsFault("AccessDeniedException", message, status=403, reason=reason)


def throttled(reason: str) -> EbsFault:
    """Make the error of too many requests in a second."""
    return EbsFault("RequestThrottledException", "The request was throttled.", status=400, reason=reason)


def too_many_pending(limit: int) -> EbsFault:
    """Make the error of an account with as many pending snapshots as it may have."""
    sentence = f"You have reached the limit of {limit} pending snapshots."
    return EbsFault("ConcurrentLimitExceededException", sentence, status=400)


def conflict() -> EbsFault:
    """Make the error of a client token that was used for another request."""
    sentence = "The client token was used before, with other parameters."
    return EbsFault("ConflictException", sentence, status=409)


def internal(message: str) -> EbsFault:
    """Make the error of a service that cannot do its work now."""
    return EbsFault("InternalServerException", message[:MAX_MESSAGE], status=500)
