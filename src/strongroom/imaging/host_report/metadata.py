# SPDX-License-Identifier: Apache-2.0
"""What is read of the instance's metadata service, and every program that knows its address."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.formats.agent_config import BundleOrigin
from strongroom.imaging.host_report.evidence import AGENT_CONFIG, Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic

ADDRESSES = (b"169.254.169.254", b"fd00:ec2::254")
"""Of the service, by IPv4 and IPv6 (EC2 User Guide, "Access instance metadata")."""
_SHOWN = 40
_READERS = (
    ("cloud-init runs what user data says", "/usr/bin/cloud-init"),
    ("ec2-metadata prints metadata", "/usr/bin/ec2-metadata"),
    ("EC2 Instance Connect takes SSH keys from metadata", "/usr/share/ec2-instance-connect/*"),
    ("EC2 Instance Connect takes SSH keys from metadata", "/opt/aws/bin/eic_*"),
    ("network interfaces are configured from metadata", "/usr/bin/setup-policy-routes"),
    ("network interfaces are configured from metadata", "/usr/sbin/ec2net*"),
    ("ignition runs what user data says", "/usr/lib/dracut/modules.d/*/ignition*"),
)


def metadata(evidence: Evidence) -> Iterator[Fact]:
    """Yield what the agent reads, known readers, and the files that hold the service's address."""
    yield from _of_agent(evidence)
    told = set()
    for text, place in _READERS:
        for node in evidence.tree.glob(place):
            told.add(node.path)
            yield Fact(Topic.METADATA, Basis.POSSIBLE, text, node.path)
    knowing = [
        node
        for node in evidence.tree.files
        if node.path not in told
        and not node.path.startswith("/usr/lib/strongroom/")
        and any(address in _contents(evidence, node.path) for address in ADDRESSES)
    ]
    for node in knowing[:_SHOWN]:
        yield Fact(Topic.METADATA, Basis.POSSIBLE, "this file holds the address of the metadata service", node.path)
    if len(knowing) > _SHOWN:
        yield Fact(Topic.METADATA, Basis.POSSIBLE, f"and {len(knowing) - _SHOWN} files more hold it")


def _contents(evidence: Evidence, path: str) -> bytes:
    return bytes(evidence.tree.view(path))


def _of_agent(evidence: Evidence) -> Iterator[Fact]:
    config = evidence.agent_config
    if config is None:
        return
    text = "the agent reads a session token (IMDSv2), the identity document with its signature, and the role's keys"
    yield Fact(Topic.METADATA, Basis.STATED, text, AGENT_CONFIG)
    if config.origin is BundleOrigin.USER_DATA:
        text = "the agent reads user data for the place of its bundles, and for nothing else"
        yield Fact(Topic.METADATA, Basis.STATED, text, AGENT_CONFIG)
    else:
        text = "the agent does not read user data: its bundles are in the image"
        yield Fact(Topic.METADATA, Basis.RULED_OUT, text, AGENT_CONFIG)
