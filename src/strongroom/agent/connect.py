# SPDX-License-Identifier: Apache-2.0
"""The agent's connections to AWS, made from the trust file alone: no variable, proxy or certificate store has a say.

(ATTACKS K12, B14.) Names are resolved by whoever runs the network; who answers must prove its name to a trusted root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from strongroom.agent.fetch import InstancePorts
from strongroom.agent.trusted import AgentTrust
from strongroom.aws.lean.https import HttpsEndpoint, MetadataEndpoint
from strongroom.aws.lean.imds import DEFAULT_URL, LeanImds
from strongroom.aws.lean.kms import LeanKms
from strongroom.errors import NotTrusted
from strongroom.formats.partition import Partition, Profile
from strongroom.ids import Region
from strongroom.ports import BundleSource, Clock, EvidenceSource


def connect(
    trust: AgentTrust,
    *,
    evidence_source: EvidenceSource,
    bundles: BundleSource,
    clock: Clock,
    entropy: Callable[[int], bytes],
) -> InstancePorts:
    """Return the ports of an instance: metadata service and KMS as the trust file says. Nothing is called yet."""
    imds = metadata_service(trust)
    return InstancePorts(
        evidence_source=evidence_source,
        identity_source=imds,
        bundles=bundles,
        kms_in=partial(_kms, trust, imds, clock),
        clock=clock,
        entropy=entropy,
    )


def metadata_service(trust: AgentTrust) -> LeanImds:
    """Return the metadata service: the one of every instance, or the twin's in a rehearsal."""
    return LeanImds(MetadataEndpoint(trust.tls.imds or DEFAULT_URL))


def _kms(trust: AgentTrust, imds: LeanImds, clock: Clock, region: Region) -> LeanKms:
    endpoint = HttpsEndpoint(kms_url(trust, region), roots=trust.tls.roots)
    return LeanKms(endpoint, region=region, credentials=imds.role_credentials, clock=clock)


def kms_url(trust: AgentTrust, region: Region) -> str:
    """Return the KMS endpoint for a region: the one in the trust file, else AWS's own, which only production has.

    Raises NotTrusted when a rehearsal would reach AWS.
    """
    return _url("kms", trust.tls.kms, trust, region)


def s3_url(trust: AgentTrust, region: Region) -> str:
    """Return the S3 endpoint for a region, as `kms_url` does."""
    return _url("s3", trust.tls.s3, trust, region)


def _url(service: str, endpoints: Mapping[Region, str], trust: AgentTrust, region: Region) -> str:
    if region in endpoints:
        return endpoints[region]
    if trust.profile is not Profile.PRODUCTION:
        raise NotTrusted(
            "connect.no-endpoint",
            f"expected an endpoint of {service} for {region} in the rehearsal trust file, found none",
            remedy="A rehearsal image never speaks to AWS. Name the twin's endpoint for this region.",
        )
    return f"https://{service}.{region}.{Partition(trust.bundles.partition).dns_suffix}"
