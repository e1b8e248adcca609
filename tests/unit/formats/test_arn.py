# SPDX-License-Identifier: Apache-2.0
"""Key ARNs."""

import pytest

from strongroom.errors import FormatError
from strongroom.formats.arn import parse_key_arn


def test_a_key_arn_tells_partition_region_and_account():
    parts = parse_key_arn("arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-00")
    assert (parts.partition, parts.region, parts.account) == ("aws-us-gov", "us-gov-west-1", "111122223333")


@pytest.mark.attack("K5")
@pytest.mark.parametrize(
    "text",
    [
        "alias/x",
        "arn:aws:kms:eu-central-1:111122223333:alias/x",
        "arn:aws:kms:eu-central-1:111122223333:key/",
        "arn:aws:kms:eu-central-1:11112222333:key/a",
        "arn:aws:s3:eu-central-1:111122223333:key/a",
        "arn:aws:kms::111122223333:key/a",
        "arn:aws:kms:eu-central-1:111122223333:key/a\n",
        "arn:other:kms:eu-central-1:111122223333:key/a",
    ],
)
def test_anything_but_a_full_key_arn_is_refused(text):
    with pytest.raises(FormatError) as caught:
        parse_key_arn(text, offset=7)
    assert (caught.value.code, caught.value.offset) == ("arn.key", 7)
