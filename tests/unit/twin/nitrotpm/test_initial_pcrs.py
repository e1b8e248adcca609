# SPDX-License-Identifier: Apache-2.0
"""PCRs that nothing was measured into have the values that genuine NitroTPM documents show."""

import pytest
from tests.tpm_commands import EMPTY, SHA1, SHA256, SHA384, SHA512, digests, selection, send

from strongroom.formats.attestation_document import parse_nitrotpm_document, unverified_claims
from strongroom.twin.nitrotpm.state.pcrs import RESET_FROM

RESETTABLE, DYNAMIC, LEFT_ALONE = (16, 23), range(17, 23), range(12, 16)
SIZES = {SHA1: 20, SHA256: 32, SHA384: 48, SHA512: 64}


def read(tpm, bank: int, pcr: int):
    return send(tpm, "PCR_Read", (), selection((bank, [pcr]))).parameters()[20:]


def genuine_pcrs(folder):
    files = sorted((folder / "documents").glob("nitrotpm-*.cbor"))
    assert len(files) >= 3, "no genuine NitroTPM documents"
    return [unverified_claims(parse_nitrotpm_document(file.read_bytes())).pcrs for file in files]


@pytest.mark.parametrize("bank", SIZES)
def test_a_started_tpm_has_ones_for_dynamic_launches_and_zeros_elsewhere(tpm, bank):
    size = SIZES[bank]
    expected = [b"\xff" * size if pcr in DYNAMIC else bytes(size) for pcr in range(24)]
    assert [read(tpm, bank, pcr) for pcr in range(24)] == expected


def test_genuine_documents_show_the_same_where_nothing_measures(tpm, genuine_vectors):
    for pcrs in genuine_pcrs(genuine_vectors):
        assert sorted(pcrs) == list(range(24))
        for pcr in (*RESETTABLE, *DYNAMIC, *LEFT_ALONE):
            assert pcrs[pcr] == read(tpm, SHA384, pcr), pcr


def test_genuine_documents_have_zeros_or_an_extended_value_in_every_other_pcr(genuine_vectors):
    """So they start from zeros: what was extended once is a digest, and never ones."""
    for pcrs in genuine_pcrs(genuine_vectors):
        assert all(pcrs[pcr] != b"\xff" * 48 for pcr in range(17))
        assert all(pcrs[pcr] != bytes(48) for pcr in range(8))


def test_what_software_can_reset_is_zero_again_after_it_was_extended(tpm):
    for pcr in RESETTABLE:
        assert 0 in RESET_FROM[pcr]
        assert send(tpm, "PCR_Extend", (pcr,), digests((SHA384, b"x" * 48)), EMPTY).code == 0
        assert read(tpm, SHA384, pcr) != bytes(48)
        assert send(tpm, "PCR_Reset", (pcr,), b"", EMPTY).code == 0
        assert read(tpm, SHA384, pcr) == bytes(48)
