# SPDX-License-Identifier: Apache-2.0
"""Policies that only take away: boundary, session policies, those of the organization, that of the VPC endpoint.

IAM User Guide, "Policy evaluation logic" and "Permissions boundaries"; Organizations User Guide, "SCP evaluation" and
"RCP evaluation"; KMS Developer Guide, "Controlling access to a VPC endpoint".
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.keypolicy.model import IdentityPolicy, ResourcePolicy


@dataclass(frozen=True, slots=True)
class Guardrails:
    """What stands around a request. Whatever is not given is not there, and takes nothing away.

    `service_control` are the SCPs of the caller's account, `resource_control` the RCPs of the key's, each as levels:
    the root, every unit on the way, the account. Every level has to allow. The management account has none of both.
    `endpoint` is the policy of the VPC endpoint through which the request came. Raises RuntimeError for a level
    without a policy: AWS keeps one attached.
    """

    boundary: IdentityPolicy | None = None
    session_policies: tuple[IdentityPolicy, ...] = ()
    service_control: tuple[tuple[IdentityPolicy, ...], ...] = ()
    resource_control: tuple[tuple[ResourcePolicy, ...], ...] = ()
    endpoint: ResourcePolicy | None = None

    def __post_init__(self) -> None:
        if not all((*self.service_control, *self.resource_control)):
            raise RuntimeError("expected at least one policy at each level of the organization, found a level without")


NO_GUARDRAILS = Guardrails()
