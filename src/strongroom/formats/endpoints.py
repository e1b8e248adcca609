# SPDX-License-Identifier: Apache-2.0
"""Endpoints in `trust.json`: AWS's own in production, the twin's on this machine in rehearsal (ATTACKS K12)."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from strongroom.formats.partition import Partition, Profile
from strongroom.formats.tree import Node
from strongroom.ids import Region

_QEMU_USER_NETWORK = ipaddress.ip_network("10.0.2.0/24")
"""Where a guest sees its host (QEMU documentation, "Using the user mode network stack")."""
URL = re.compile(r"https?://[A-Za-z0-9.\[\]:-]+")
"""Scheme, host and port: no user, path or query, in which a second meaning could hide."""


def parse_kms_endpoint(node: Node, *, profile: Profile, partition: Partition, region: Region) -> str:
    """Return the URL of a KMS endpoint for `region`. Raises FormatError for one that the profile does not allow."""
    if profile is Profile.REHEARSAL:
        return parse_local_endpoint(node, scheme="https")
    _expect_aws(node, _split(node, scheme="https"), partition=partition, region=region)
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


def _expect_aws(node: Node, url: SplitResult, *, partition: Partition, region: Region) -> None:
    suffix = re.escape(partition.dns_suffix)
    name = re.escape(region)
    allowed = re.compile(rf"kms(?:-fips)?\.{name}\.{suffix}|vpce-[a-z0-9-]+\.kms(?:-fips)?\.{name}\.vpce\.{suffix}")
    if not allowed.fullmatch(url.netloc):
        raise node.refused(
            "trust.endpoint-not-aws",
            f"expected AWS's KMS endpoint in {region}, such as https://kms.{region}.{partition.dns_suffix}, "
            f"found {url.geturl()!r}",
            remedy="A production image speaks to AWS only. Leave the endpoint out, or write a rehearsal file.",
        )


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
