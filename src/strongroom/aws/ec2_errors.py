# SPDX-License-Identifier: Apache-2.0
"""What EC2's error names mean for us (EC2 API Reference, "Error codes")."""

from __future__ import annotations

from strongroom.errors import KeyRefused, ServiceFault, StrongroomError, UsageError

_SERVER_ERROR = 500
_CREDENTIAL_ERRORS = frozenset(
    {"AuthFailure", "SignatureDoesNotMatch", "InvalidClientTokenId", "UnrecognizedClientException", "RequestExpired"}
)
_REFUSED = frozenset({"UnauthorizedOperation", "AccessDenied", "AccessDeniedException"})
"""The first is EC2's own, the others are those of AWS's services in general."""
_THROTTLING = frozenset({"RequestLimitExceeded", "Throttling", "ThrottlingException"})


def translate(name: str, message: str, *, status: int) -> StrongroomError:
    """Return our error for an error reply of EC2."""
    if name in _THROTTLING or status >= _SERVER_ERROR:
        return ServiceFault("ec2.unavailable", f"EC2 could not answer: {name}: {message}", retryable=True)
    if name in _CREDENTIAL_ERRORS:
        return UsageError(
            "aws.credentials",
            f"AWS refused the credentials or the time: {name}: {message}",
            remedy="Check the profile, the session's end and this machine's clock.",
        )
    if name in _REFUSED:
        return KeyRefused(
            "ec2.access-denied",
            f"EC2 refused: {name}: {message}",
            remedy="The caller needs `ec2:DescribeInstances`, which takes no resource: it is for all or none.",
        )
    return ServiceFault("ec2.unexpected", f"expected an instance, found {name}: {message}", retryable=False)
