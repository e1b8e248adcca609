# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest

from strongroom.errors import FormatError
from strongroom.formats import pcrs
from strongroom.formats.pcrs import PcrDigests


def test_digests_are_a_mapping_in_ascending_order():
    digests = PcrDigests.of({12: b"c" * 48, 2: b"a" * 48})
    assert list(digests) == [2, 12]
    assert digests[2] == b"a" * 48
    assert len(digests) == 2
    assert digests == PcrDigests.of({2: b"a" * 48, 12: b"c" * 48})
    assert 4 not in digests
    with pytest.raises(KeyError):
        digests[4]


@pytest.mark.attack("A13")
@pytest.mark.parametrize("index", [-1, 32, 2**63])
def test_indices_end_at_31(index):
    with pytest.raises(FormatError) as caught:
        PcrDigests.of({index: bytes(48)})
    assert caught.value.code == "pcr.index"


@pytest.mark.attack("A13")
@pytest.mark.parametrize("length", [0, 20, 32, 47, 49, 64])
def test_digests_have_the_length_of_their_bank(length):
    with pytest.raises(FormatError) as caught:
        PcrDigests.of({4: bytes(length)})
    assert caught.value.code == "pcr.length"
    assert PcrDigests.of({4: bytes(32)}, size_bytes=32)[4] == bytes(32)


def test_the_constants_are_what_they_are_said_to_be():
    # TCG PC Client PFP section 3.3.4: EV_SEPARATOR of four zero bytes, extended into zeros
    separator = hashlib.sha384(bytes(4)).digest()
    assert hashlib.sha384(bytes(48) + separator).digest() == pcrs.SEPARATOR_ONLY_SHA384
    assert bytes(48) == pcrs.ZERO_SHA384
    assert set(pcrs.GATES) == {2, 4, 7, 12, 13}
    assert {16, 23} == pcrs.RESETTABLE
