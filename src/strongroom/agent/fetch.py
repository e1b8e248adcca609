# SPDX-License-Identifier: Apache-2.0
"""From names of secrets to their contents, on an instance: who we are first, then each bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from strongroom.agent.instance import VerifiedInstance, establish_instance
from strongroom.agent.trusted import AgentTrust
from strongroom.errors import UsageError
from strongroom.flows.open import InstanceFacts, OpenedBundle, open_bundle
from strongroom.ids import Region
from strongroom.ports import AttestedKms, BundleSource, Clock, EvidenceSource, IdentitySource


@dataclass(frozen=True, slots=True)
class InstancePorts:
    """The outside world as an instance sees it. All of it but the TPM and the random bytes is in hostile hands."""

    evidence_source: EvidenceSource
    identity_source: IdentitySource
    bundles: BundleSource
    kms_in: Callable[[Region], AttestedKms]
    """KMS in a region, which is known only after the instance is."""
    clock: Clock
    entropy: Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Fetched:
    """Opened bundles by name, in the order in which they were asked for, and the instance they were opened on."""

    instance: VerifiedInstance
    bundles: Mapping[str, OpenedBundle]

    def files(self) -> Mapping[str, bytes]:
        """Return every file under `BUNDLE/ENTRY`, as `delivery.deliver` takes them."""
        return MappingProxyType(
            {
                f"{name}/{entry.info.name}": entry.content
                for name, bundle in self.bundles.items()
                for entry in bundle.entries
            }
        )


def fetch(names: Sequence[str], *, trust: AgentTrust, ports: InstancePorts) -> Fetched:
    """Return the named secrets, all of them or none.

    Our account and region come from AWS's signatures, the time from our own document; a bundle's location never
    decides anything (ATTACKS B15). Raises UsageError for no name or a name given twice, and what establishing the
    instance and opening a bundle raise.
    """
    if not names or len(set(names)) != len(names):
        raise UsageError("fetch.names", f"expected names of secrets, each once, found {', '.join(names) or 'none'}")
    instance = establish_instance(
        ports.evidence_source, ports.identity_source, trust=trust, clock=ports.clock, entropy=ports.entropy
    )
    opened = {name: _open(name, instance, trust, ports) for name in names}
    return Fetched(instance, MappingProxyType(opened))


def _open(name: str, instance: VerifiedInstance, trust: AgentTrust, ports: InstancePorts) -> OpenedBundle:
    return open_bundle(
        ports.bundles.fetch(name),
        name=name,
        trust=trust.bundles,
        instance=InstanceFacts(account=instance.account, region=instance.region),
        now=instance.attested_at,
        evidence_source=ports.evidence_source,
        kms=ports.kms_in(instance.region),
    )
