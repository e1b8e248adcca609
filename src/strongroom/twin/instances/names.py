# SPDX-License-Identifier: Apache-2.0
"""The name server of a guest: every name of AWS leads to the twin, and no other name exists (RFC 1035, RFC 8020)."""

from __future__ import annotations

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from strongroom.appraisal.identity_certificates import aws_identity_certificates
from strongroom.formats.partition import Partition
from strongroom.ids import Region

HOST_ADDRESS = "10.0.2.2"
"""Where a guest sees the machine that it runs on (QEMU documentation, "Using the user mode network stack")."""
METADATA_ADDRESS = "169.254.169.254"
NAME_SERVER_ADDRESS = "169.254.169.253"
"""As in a VPC (Amazon VPC User Guide, "DNS attributes for your VPC")."""
TIME_ADDRESS = "169.254.169.123"
"""As in a VPC (EC2 User Guide, "Set the time reference on your EC2 instance")."""
LIFE_SECONDS = 60
_DOMAINS = ("amazonaws.com.", "amazonaws.com.cn.", "api.aws.")
_AWS = tuple(map(dns.name.from_text, _DOMAINS))
_SINGLE = {
    dns.name.from_text("instance-data.ec2.internal."): METADATA_ADDRESS,
    dns.name.from_text("time.aws.com."): TIME_ADDRESS,
}


def answer_query(message: bytes) -> bytes | None:
    """Return the answer to a query; None for what is not to be answered: no DNS message, or an answer itself."""
    try:
        query = dns.message.from_wire(message)
        reply = dns.message.make_response(query, recursion_available=True)
    except dns.exception.DNSException:
        return None
    if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
        reply.set_rcode(dns.rcode.NOTIMP)
        return bytes(reply.to_wire())
    question = query.question[0]
    address = _address(question.name)
    if address is None or question.rdclass != dns.rdataclass.IN:
        reply.set_rcode(dns.rcode.NXDOMAIN)
    elif question.rdtype in {dns.rdatatype.A, dns.rdatatype.ANY}:
        reply.answer.append(dns.rrset.from_text(question.name, LIFE_SECONDS, "IN", "A", address))
    return bytes(reply.to_wire())


def _address(name: dns.name.Name) -> str | None:
    if any(name.is_subdomain(domain) for domain in _AWS):
        return HOST_ADDRESS
    return _SINGLE.get(name)


def served_domains() -> tuple[str, ...]:
    """Return the names of a server certificate for AWS's endpoints: of each Region, and of buckets in it.

    `*.` stands for one label, so the Regions have to be named: those that AWS publishes identity certificates for.
    """
    regional = [
        f"{labels}.{region}.{_suffix(region)}"
        for region in sorted(aws_identity_certificates())
        for labels in ("*", "*.s3")
    ]
    return (*(f"*.{domain.rstrip('.')}" for domain in _DOMAINS), *regional)


def _suffix(region: Region) -> str:
    return (Partition.CHINA if region.startswith("cn-") else Partition.AWS).dns_suffix
