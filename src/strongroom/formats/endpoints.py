# SPDX-License-Identifier: Apache-2.0
"""Endpoints in `trust.json`: AWS's own in production, the twin's on this machine in rehearsal (ATTACKS K12)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from strongroom.formats.partition import Partition, Profile
from strongroom.formats.tree import Node
from strongroom.ids import Region

QEMU_HOST = "10.0.2.2"
_QEMU_USER_NETWORK = ipaddress.ip_network("10.0.2.0/24")
"""Where a guest sees its host (QEMU documentation, "Using the user mode network stack")."""
URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")
"""Scheme, host and port: no user, path or query, in which a second meaning could hide."""


def parse_kms_endpoint(node: Node, *, profile: Profile, partition: Partition, region: Region) -> str:
    """Return the URL of a KMS endpoint for `region`. Raises FormatError for one that the profile does not allow."""
    return _parse_aws_endpoint(node, _Place("kms", region, partition), profile)


def parse_s3_endpoint(node: Node, *, profile: Profile, partition: Partition, region: Region) -> str:
    """Return the URL of an S3 endpoint for `region`, as `parse_kms_endpoint` does."""
    return _parse_aws_endpoint(node, _Place("s3", region, partition), profile)


@dataclass(frozen=True, slots=True)
class _Place:
    """A service of AWS in one region."""

    service: str
    region: Region
    partition: Partition

    @property
    def host(self) -> str:
        """AWS's own name for it (AWS General Reference, "Service endpoints")."""
        return f"{self.service}.{self.region}.{self.partition.dns_suffix}"

    def is_aws(self, host: str) -> bool:
        """Say whether a host is its endpoint, its FIPS endpoint, or an interface endpoint of a VPC."""
        service, name, suffix = self.service, re.escape(self.region), re.escape(self.partition.dns_suffix)
        before = r"bucket\.vpce" if service == "s3" else "vpce"  # AWS PrivateLink for Amazon S3
        own = rf"{service}(?:-fips)?\.{name}\.{suffix}"
        return (
            re.fullmatch(rf"{own}|{before}-[a-z0-9-]+\.{service}(?:-fips)?\.{name}\.vpce\.{suffix}", host) is not None
        )


def _parse_aws_endpoint(node: Node, place: _Place, profile: Profile) -> str:
    if profile is Profile.REHEARSAL:
        return parse_local_endpoint(node, scheme="https")
    url = _split(node, scheme="https")
    if not place.is_aws(url.netloc):
        raise node.refused(
            "trust.endpoint-not-aws",
            f"expected AWS's {place.service.upper()} endpoint in {place.region}, such as https://{place.host}, "
            f"found {url.geturl()!r}",
            remedy="A production image speaks to AWS only. Leave the endpoint out, or write a rehearsal file.",
        )
    return node.text()


def parse_imds_endpoint(node: Node, *, profile: Profile) -> str:
    """Return the URL of a stand-in for the instance metadata service, which only a rehearsal has."""
    if profile is not Profile.REHEARSAL:
        raise node.refused(
            "trust.imds-endpoint",
            "expected no metadata endpoint in a production file: instances have one address for it",
        )
    if not _is_loopback(_split(node, scheme="http").hostname or ""):
        raise node.refused(
            "trust.imds-not-loopback",
            f"expected http:// with a loopback address, found {node.text()!r}",
            remedy="In a guest, leave it out and forward 169.254.169.254 to the twin.",
        )
    return node.text()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_local_endpoint(node: Node, *, scheme: str) -> str:
    """Return the URL of something on this machine. Raises FormatError for any other."""
    _expect_this_machine(node, _split(node, scheme=scheme))
    return node.text()


def _split(node: Node, *, scheme: str) -> SplitResult:
    url = node.text(URL, wanted=f"an {scheme} URL of a host and no more")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 -- reading it parses it
    except ValueError as error:
        raise node.refused("trust.endpoint-url", f"expected a URL, found {url!r}") from error
    if parts.scheme != scheme or parts.hostname is None:
        raise node.refused("trust.endpoint-scheme", f"expected an {scheme} URL of a host, found {url!r}")
    return parts


def _expect_this_machine(node: Node, url: SplitResult) -> None:
    host = url.hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        here = host == "localhost"
    else:
        here = address.is_loopback or address in _QEMU_USER_NETWORK
    if not here:
        raise node.refused(
            "trust.endpoint-not-local",
            f"expected an address of this machine (loopback or 10.0.2.0/24), found {url.geturl()!r}",
            remedy="A rehearsal image speaks to the twin only.",
        )
