# SPDX-License-Identifier: Apache-2.0
"""The name server of guests. Queries and answers are made and read by dnspython as a client does."""

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.twin.instances.names import answer_query, served_domains


def asked(name: str, kind: str = "A", of: str = "IN") -> dns.message.Message:
    query = dns.message.make_query(name, kind, of)
    reply = answer_query(query.to_wire())
    assert reply is not None
    answer = dns.message.from_wire(reply)
    assert query.is_response(answer)
    return answer


@pytest.mark.parametrize(
    "name",
    [
        *("kms.eu-central-1.amazonaws.com", "KMS.EU-CENTRAL-1.AMAZONAWS.COM", "bucket.s3.eu-west-1.amazonaws.com"),
        *("sts.amazonaws.com", "kms.cn-north-1.amazonaws.com.cn", "kms.us-east-1.api.aws"),
    ],
)
def test_names_of_aws_lead_to_the_twin(name):
    assert [str(record) for each in asked(name).answer for record in each] == ["10.0.2.2"]


def test_services_of_the_link_have_their_own_addresses():
    assert asked("instance-data.ec2.internal").answer[0][0].address == "169.254.169.254"
    assert asked("time.aws.com").answer[0][0].address == "169.254.169.123"


@pytest.mark.parametrize("name", ["example.com", "amazonaws.com.example.com", "notamazonaws.com", "localhost", "."])
def test_no_other_name_exists(name):
    answer = asked(name)
    assert answer.rcode() == dns.rcode.NXDOMAIN
    assert not answer.answer


def test_a_name_of_aws_has_no_address_of_ipv6():
    answer = asked("kms.eu-central-1.amazonaws.com", "AAAA")
    assert answer.rcode() == dns.rcode.NOERROR
    assert not answer.answer


def test_names_of_other_classes_do_not_exist():
    assert asked("kms.eu-central-1.amazonaws.com", of="CH").rcode() == dns.rcode.NXDOMAIN


def test_other_operations_are_not_implemented():
    query = dns.message.make_query("kms.eu-central-1.amazonaws.com", "A")
    query.set_opcode(dns.opcode.STATUS)
    assert dns.message.from_wire(answer_query(query.to_wire()) or b"").rcode() == dns.rcode.NOTIMP
    assert dns.message.from_wire(answer_query(dns.message.Message().to_wire()) or b"").rcode() == dns.rcode.NOTIMP


def test_an_answer_is_not_answered():
    query = dns.message.make_query("example.com", "A")
    query.flags |= dns.flags.QR
    assert answer_query(query.to_wire()) is None


@given(st.binary(max_size=100))
def test_anything_at_all_is_answered_or_not(message):
    reply = answer_query(message)
    assert reply is None or reply[:2] == message[:2]


def test_the_certificate_covers_every_region_and_its_buckets():
    names = served_domains()
    for name in ("*.eu-central-1.amazonaws.com", "*.s3.eu-central-1.amazonaws.com", "*.amazonaws.com"):
        assert name in names
    assert "*.cn-north-1.amazonaws.com.cn" in names
    assert len(names) == len(set(names))
