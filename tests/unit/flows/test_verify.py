# SPDX-License-Identifier: Apache-2.0
"""One call: authentic, fresh, challenged, and from the image that was measured. Each of them alone is not enough."""

from datetime import timedelta

import pytest
from tests.nitro_pki import MODULE, NONCE, NOW, PCRS, document, enclave_document, enclave_pki, good_pki, payload, sign

from strongroom.appraisal.appraise import NOBODY_CHALLENGED
from strongroom.errors import FormatError, NotAuthentic, NotTrusted, UsageError
from strongroom.flows.verify import verify_document
from strongroom.formats.deny_list import parse_deny_list
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import PcrDigests

OTHER = b"\x11" * 48
GATED = PcrDigests.of({index: PCRS[index] for index in (2, 4, 7, 12, 13)})


def verify(data=None, *, pcrs=GATED, **changes):
    settings = {"nonce": NONCE, "now": NOW, "roots": good_pki().roots} | changes
    return verify_document(document() if data is None else data, measurements=Measurements(pcrs), **settings)


def measured(**changes):
    return PcrDigests.of({**GATED, **{int(name[3:]): value for name, value in changes.items()}})


def test_a_good_document_is_returned():
    assert verify().module_id == MODULE
    assert verify(nonce=NOBODY_CHALLENGED).module_id == MODULE


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({"nonce": b"another"}, ["nonce.mismatch"]),
        ({"now": NOW + timedelta(minutes=5, seconds=1)}, ["age.too-old"]),
        ({"now": NOW + timedelta(seconds=11), "max_age": timedelta(seconds=10)}, ["age.too-old"]),
        ({"pcrs": measured(pcr4=OTHER)}, ["pcr.mismatch"]),
        ({"pcrs": measured(pcr12=OTHER)}, ["pcr.mismatch"]),
        ({"pcrs": measured(pcr7=OTHER)}, ["pcr.mismatch"]),
        ({"pcrs": measured(pcr2=OTHER, pcr4=OTHER, pcr13=OTHER)}, ["pcr.mismatch"] * 3),
    ],
)
def test_each_expectation_counts(changes, codes):
    with pytest.raises(NotTrusted) as caught:
        verify(**changes)
    assert [finding.code for finding in caught.value.findings] == codes


def test_a_pcr_7_that_says_nothing_is_no_gate():
    pcrs = PcrDigests.of({**PCRS, 7: OTHER})
    assert verify(document(pcrs=pcrs)).pcrs[7] == OTHER


def test_awss_roots_are_the_ones_unless_others_are_given():
    with pytest.raises(NotAuthentic) as caught:
        verify(roots=None)
    assert caught.value.code == "chain.unknown-root"


@pytest.mark.attack("A23")
def test_nothing_is_denied_unless_a_list_says_so():
    denied = parse_deny_list(b'{"version": 1, "modules": [{"id": "%s", "reason": "copied"}]}' % MODULE.encode())
    with pytest.raises(NotAuthentic) as caught:
        verify(deny_list=denied)
    assert caught.value.code == "evidence.denied-module"
    assert verify(deny_list=parse_deny_list(b'{"version": 1}')).module_id == MODULE


def test_forged_malformed_and_ended_documents_are_told_apart():
    with pytest.raises(NotAuthentic) as forged:
        verify(document()[:-1] + bytes([document()[-1] ^ 1]))
    assert forged.value.code == "signature.invalid"
    with pytest.raises(NotAuthentic) as ended:
        verify(now=NOW + timedelta(hours=3, seconds=1))
    assert ended.value.code == "chain.expired"
    with pytest.raises(FormatError):
        verify(sign(payload()[:-1]))
    with pytest.raises(FormatError):
        verify(enclave_document(enclave_pki()), roots=enclave_pki().roots)


def test_an_empty_nonce_is_no_challenge():
    with pytest.raises(UsageError) as caught:
        verify(nonce=b"")
    assert caught.value.code == "nonce.empty"
