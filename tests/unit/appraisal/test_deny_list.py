# SPDX-License-Identifier: Apache-2.0
"""A document whose signatures all hold is refused when a deny list names anything of it (ATTACKS A23)."""

import hashlib

import pytest
from tests.nitro_pki import (
    ENCLAVE_MODULE,
    INSTANCE,
    MODULE,
    NOW,
    ORDER,
    Pki,
    document,
    enclave_document,
    enclave_pki,
    good_pki,
    other_form,
)

from strongroom.appraisal.deny_list import NOTHING_DENIED
from strongroom.appraisal.evidence import AT_DOCUMENT_TIME, verify_enclave_evidence, verify_evidence
from strongroom.errors import NotAuthentic
from strongroom.formats.deny_list import DenyList

OTHER_INSTANCE = "i-0fedcba9876543210"


def sha256(der):
    return hashlib.sha256(der).digest()


def verify(deny_list, *, pki=None, data=None):
    pki = pki or good_pki()
    return verify_evidence(document(pki) if data is None else data, roots=pki.roots, at=NOW, deny_list=deny_list)


def refused(code, deny_list, **context):
    with pytest.raises(NotAuthentic) as caught:
        verify(deny_list, **context)
    assert caught.value.code == code, caught.value
    return str(caught.value)


@pytest.mark.attack("A23")
@pytest.mark.parametrize(
    ("position", "words"),
    [
        ("root", "the root certificate"),
        ("regional", "certificate 1 of 3 in the bundle"),
        ("zonal", "certificate 2 of 3 in the bundle"),
        ("instance", "certificate 3 of 3 in the bundle"),
        ("leaf", "the leaf certificate"),
    ],
)
def test_a_denied_certificate_is_refused_wherever_it_stands_in_the_path(position, words):
    digest = sha256(good_pki().certificates[position])
    said = refused("evidence.denied-certificate", DenyList(certificates={digest: "its key leaked"}))
    assert said.startswith(words)
    assert digest.hex() in said
    assert said.endswith("its key leaked")


@pytest.mark.attack("A23")
@pytest.mark.attack("A8")
@pytest.mark.parametrize("position", ORDER[1:])
def test_the_second_form_of_a_certificates_signature_does_not_help(position):
    """The holder of a leaked key writes the denied certificate anew: other bytes, and a signature that holds."""
    pki = good_pki()
    rewritten = Pki()
    rewritten.certificates = pki.certificates | {position: other_form(pki.certificates[position])}
    assert sha256(rewritten.certificates[position]) != sha256(pki.certificates[position])
    verify(NOTHING_DENIED, pki=rewritten)
    for listed in (pki, rewritten):
        denied = DenyList(certificates={sha256(listed.certificates[position]): "leaked"})
        refused("evidence.denied-certificate", denied, pki=rewritten)
        refused("evidence.denied-certificate", denied, pki=pki)


@pytest.mark.attack("A23")
def test_a_denied_module_is_refused():
    assert "copied" in refused("evidence.denied-module", DenyList(modules={MODULE: "copied"}))


@pytest.mark.attack("A23")
def test_a_denied_instance_is_refused():
    assert "an intrusion" in refused("evidence.denied-instance", DenyList(instances={INSTANCE: "an intrusion"}))


@pytest.mark.attack("A23")
@pytest.mark.parametrize("kind", ["certificate", "module", "instance"])
def test_enclave_documents_are_refused_too(kind):
    pki = enclave_pki()
    denied = {
        "certificate": DenyList(certificates={sha256(pki.certificates["zonal"]): "leaked"}),
        "module": DenyList(modules={ENCLAVE_MODULE: "copied"}),
        "instance": DenyList(instances={INSTANCE: "an intrusion"}),
    }
    verify_enclave_evidence(enclave_document(pki), roots=pki.roots, at=NOW)
    with pytest.raises(NotAuthentic) as caught:
        verify_enclave_evidence(enclave_document(pki), roots=pki.roots, at=NOW, deny_list=denied[kind])
    assert caught.value.code == f"evidence.denied-{kind}"


@pytest.mark.attack("A23")
def test_an_archive_knows_no_mercy_either():
    with pytest.raises(NotAuthentic) as caught:
        verify_evidence(
            document(), roots=good_pki().roots, at=AT_DOCUMENT_TIME, deny_list=DenyList(modules={MODULE: "copied"})
        )
    assert caught.value.code == "evidence.denied-module"


def test_what_is_not_denied_passes():
    others = DenyList(
        certificates={sha256(b"another certificate"): "x"},
        modules={MODULE.replace(INSTANCE, OTHER_INSTANCE): "x", f"{INSTANCE}-enc0000000000000000": "x"},
        instances={OTHER_INSTANCE: "x"},
    )
    assert verify(others) == verify(NOTHING_DENIED)
    assert len(NOTHING_DENIED) == 0


def test_a_forged_document_is_called_forged_first():
    forged = document()[:-1] + bytes([document()[-1] ^ 1])
    refused("signature.invalid", DenyList(modules={MODULE: "copied"}), data=forged)
