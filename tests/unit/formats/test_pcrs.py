# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest

from strongroom.errors import FormatError
from strongroom.formats import pcrs
from strongroom.formats.pcrs import PcrBank, PcrDigests


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


@pytest.mark.parametrize("bank", [bank for bank in PcrBank if bank is not PcrBank.SM3_256])
def test_banks_are_named_by_their_hash_and_have_its_size(bank):
    assert bank.size_bytes == hashlib.new(bank.lower()).digest_size


def test_banks_have_the_numbers_of_the_tcg():
    numbers = {bank.value: bank.algorithm_id for bank in PcrBank}
    assert numbers == {
        "SHA1": 0x04,
        "SHA256": 0x0B,
        "SHA384": 0x0C,
        "SHA512": 0x0D,
        "SM3_256": 0x12,
        "SHA3_256": 0x27,
        "SHA3_384": 0x28,
        "SHA3_512": 0x29,
    }
    assert PcrBank.SM3_256.size_bytes == 32
