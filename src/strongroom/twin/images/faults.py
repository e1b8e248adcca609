# SPDX-License-Identifier: Apache-2.0
"""Errors that several operations of EC2 have (EC2 Developer Guide, "Error codes for the Amazon EC2 API")."""

from __future__ import annotations

from strongroom.twin.ebs.fault import EbsFault
from strongroom.twin.fault import AwsFault


def invalid_value(message: str) -> AwsFault:
    """Make the error of a parameter's value."""
    return AwsFault("InvalidParameterValue", message)


def invalid_combination(message: str) -> AwsFault:
    """Make the error of parameters that do not go together."""
    return AwsFault("InvalidParameterCombination", message)


def missing(name: str) -> AwsFault:
    """Make the error of a parameter that is not there."""
    return AwsFault("MissingParameter", f"The request must contain the parameter {name}")


def told(fault: EbsFault) -> AwsFault:
    """Say what the snapshots' own service says, by EC2's names."""
    names = {
        "ResourceNotFoundException": "InvalidSnapshot.NotFound",
        "AccessDeniedException": "UnauthorizedOperation",
        "ValidationException": "InvalidParameterValue",
    }
    if fault.reason in {"INVALID_CUSTOMER_KEY", "DEPENDENCY_RESOURCE_NOT_FOUND"}:
        return AwsFault("InvalidParameterValue", fault.message)
    status = 403 if fault.name == "AccessDeniedException" else 400
    return AwsFault(names.get(fault.name, "InternalError"), fault.message, status=status)
