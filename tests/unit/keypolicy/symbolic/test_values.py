# SPDX-License-Identifier: Apache-2.0
"""Each policy here opens for one narrow piece of a condition key's values."""

from ipaddress import ip_address, ip_network

import pytest


@pytest.mark.parametrize(("lowest", "other"), [("0.0.0.0/8", "::/0"), ("::/8", "0.0.0.0/0")], ids=["IPv4", "IPv6"])
def test_an_address_below_all_that_are_named(asking, lowest, other):
    lowest = ip_network(lowest)
    above = [str(each) for each in ip_network(f"{lowest.network_address}/0").address_exclude(lowest)]
    wanted = {"Null": {"aws:SourceIp": "false"}}
    found = asking.witness(*asking.only_if(wanted, {"IpAddress": {"aws:SourceIp": [*above, other]}}))
    assert ip_address(found.sender.source_ip) in lowest


def test_an_arn_by_pattern(asking):
    wanted = {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket*"}}
    assert asking.witness(*asking.only_if(wanted)).sender.source_arn.startswith("arn:aws:s3:::bucket")
