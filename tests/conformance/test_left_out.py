# SPDX-License-Identifier: Apache-2.0
"""A verifier that leaves out one step fails the suite of NitroTPM documents, in the group of that step and in no other.

Each test takes one step out of our own verifier and runs all vectors. Where all that a group refuses fails then
(`named`), each of these vectors has that one fault and no other: everything else about it was still looked at.
"""

import dataclasses
import hashlib
import re

import pytest
from conformance.adapters import strongroom_serve
from tests.conformance.suite import VECTORS, failed, named, run

from strongroom.appraisal import appraise as appraise_module
from strongroom.appraisal import evidence as evidence_module
from strongroom.appraisal.rules import PcrRule
from strongroom.crypto import chain as chain_module
from strongroom.crypto.certificates import load_certificate
from strongroom.errors import FormatError, NotAuthentic
from strongroom.formats import attestation_document as document_module
from strongroom.formats import cbor


@pytest.fixture
def leave_out(monkeypatch):
    """Replace names of a module, and return what fails then."""

    def leave(module, level="class", **replacements):
        chain_module.forget_bundles()
        for name, replacement in replacements.items():
            monkeypatch.setattr(module, name, replacement)
        return failed(run(strongroom_serve.verify, level))

    yield leave
    chain_module.forget_bundles()


def nothing(*_, **__):
    return ()


@pytest.mark.attack("A1")
def test_without_the_signature(leave_out):
    assert leave_out(evidence_module, verify_es384=nothing) == {"signature": named("signature")}


def any_chain(leaf, cabundle, *, root_sha256s, at):
    """Take the leaf's key and name as they come. All certificates are read, and no path is verified."""
    for der in cabundle:
        load_certificate(der)
    link = chain_module._read_link(leaf, "leaf")
    if not isinstance(link.key, chain_module.ec.EllipticCurvePublicKey) or link.key.curve.key_size != 384:
        raise NotAuthentic("stub.key", "the signature cannot be verified with such a key")
    name = chain_module._common_name(link)
    return chain_module.VerifiedChain(link.key, name, link.certificate.not_valid_after_utc, b"")


@pytest.mark.attack("A5")
@pytest.mark.attack("A6")
def test_without_the_path(leave_out):
    wrong_keys = {"path-leaf-p256", "path-leaf-rsa"}
    found = leave_out(evidence_module, verify_chain=any_chain)
    assert found == {"path": named("path") - wrong_keys, "time": named("time")}


@pytest.mark.attack("A5")
def test_with_the_root_that_the_document_brings(leave_out):
    found = leave_out(chain_module, _expect_pinned_root=lambda cabundle, _: hashlib.sha256(cabundle[0]).digest())
    assert found == {"path": {"path-root-lookalike", "path-root-other"}}


@pytest.mark.parametrize(
    ("step", "rules"),
    [
        ("_verify_issued_by", ("path-2", "path-3")),
        ("_expect_authority", ("path-4", "path-5", "path-6")),
        ("_expect_end_entity", ("path-5", "path-6")),
        ("_expect_no_unread_extension", ("path-7",)),
    ],
)
@pytest.mark.attack("A6")
def test_without_one_step_of_the_path(leave_out, step, rules):
    found = leave_out(chain_module, **{step: nothing})
    assert set(found) == {"path"}
    assert found["path"] <= {v.name for v in VECTORS if v.one("rule") in rules}


@pytest.mark.attack("A7")
def test_without_a_look_at_the_kind_of_key(leave_out, monkeypatch):
    def with_any_key(signature, message, *, key, real=evidence_module.verify_es384):
        if not isinstance(key, chain_module.ec.EllipticCurvePublicKey):
            raise NotAuthentic("stub.key", "the signature cannot be verified with such a key")
        real(signature, message, key=key)

    monkeypatch.setattr(evidence_module, "verify_es384", with_any_key)
    assert leave_out(chain_module, _expect_p384_sha384=nothing) == {"path": {"path-leaf-p256"}}


@pytest.mark.attack("A4")
def test_without_the_certificates_time(leave_out):
    assert leave_out(chain_module, _expect_valid_at=nothing) == {"time": named("time")}


@pytest.mark.attack("A4")
def test_with_the_documents_time_for_the_certificates(leave_out):
    def at_its_own(evidence, *, roots, at):
        return evidence_module.verify_evidence(evidence, roots=roots, at=evidence_module.AT_DOCUMENT_TIME)

    assert "time-archived" in leave_out(strongroom_serve, verify_evidence=at_its_own)["time"]


@pytest.mark.attack("A14")
def test_without_the_leafs_name_nothing_that_counts_fails(leave_out):
    """The name is optional in the suite: AWS does not write it down."""
    assert leave_out(evidence_module, _region_of=lambda *_: "eu-west-1") == {}


@pytest.mark.attack("A2")
def test_without_the_nonce(leave_out):
    assert leave_out(appraise_module, _nonce=nothing) == {"nonce": named("nonce")}


@pytest.mark.attack("A2")
def test_with_the_nonce_compared_only_where_there_is_one(leave_out):
    real = appraise_module._nonce
    found = leave_out(appraise_module, _nonce=lambda found, expected: real(found or expected, expected))
    assert found == {"nonce": {"nonce-null", "nonce-absent", "nonce-empty", "nonce-in-user-data"}}


@pytest.mark.attack("A3")
def test_without_the_age(leave_out):
    assert leave_out(appraise_module, _age=nothing, _from_the_future=nothing) == {"age": named("age")}


@pytest.mark.attack("A12")
@pytest.mark.attack("A13")
def test_without_the_pcrs(leave_out, monkeypatch):
    monkeypatch.setattr(appraise_module, "_measured", nothing)
    assert leave_out(PcrRule, misfits=nothing) == {"pcr": named("pcr")}


@pytest.mark.attack("A13")
def test_with_absent_pcrs_taken_for_a_match(leave_out, monkeypatch):
    def lenient(self, evidence, *, now, real=PcrRule.misfits):
        return real(self, evidence, now=now) if self.index in evidence.pcrs else ()

    monkeypatch.setattr(appraise_module, "_measured", nothing)
    assert leave_out(PcrRule, misfits=lenient) == {"pcr": {f"pcr-{index}-absent" for index in (2, 4, 7, 12, 13)}}


@pytest.mark.attack("A14")
def test_without_the_bound_fields(leave_out):
    assert leave_out(appraise_module, _binding=nothing) == {"binding": named("binding")}


@pytest.mark.attack("A11")
def test_without_the_kind(leave_out):
    """Take a document of a Nitro Enclave for one of a NitroTPM, as readers of both kinds do."""
    either = re.compile(r"i-[0-9a-f]{8,17}-(tpm|enc)[0-9a-f]{16}")
    tpm, enclave = (
        dataclasses.replace(flavour, module_id=either)
        for flavour in (document_module._NITROTPM, document_module._ENCLAVE)
    )

    def parse(data):
        envelope = document_module._parse_envelope(data)
        flavour = enclave if b"\x64pcrs" in envelope.payload and b"nitrotpm_pcrs" not in envelope.payload else tpm
        return document_module.AttestationDocument(envelope, *document_module._parse_payload(envelope, flavour))

    found = leave_out(evidence_module, parse_nitrotpm_document=parse)
    assert found == {"kind": named("kind") - {"kind-both-keys"}}


@pytest.mark.attack("A9")
def test_with_the_last_of_two_keys(leave_out):
    def one_at_a_time(self, children, *, real=cbor._Decoder._expect_keys):
        for pair in zip(children[::2], children[1::2], strict=True):
            real(self, pair)

    found = leave_out(cbor._Decoder, _expect_keys=one_at_a_time)
    twice = {"nonce-first", "nonce-last", "twice-equal", "module-twice", "pcrs-twice", "pcr-twice"}
    assert found == {"cbor": {f"cbor-{name}" for name in twice}}


@pytest.mark.attack("A9")
def test_with_bytes_after_the_end(leave_out):
    def up_to_the_end(data, profile, *, base_offset=0, real=cbor.decode, **limits):
        try:
            return real(data, profile, base_offset=base_offset, **limits)
        except FormatError as error:
            if error.code != "cbor.trailing-bytes" or error.offset is None:
                raise
            return real(data[: error.offset - base_offset], profile, base_offset=base_offset, **limits)

    found = leave_out(cbor, decode=up_to_the_end)
    assert found == {"cbor": {"cbor-trailing", "cbor-two-documents", "cbor-payload-trailing"}}


@pytest.mark.attack("A8")
@pytest.mark.parametrize(
    ("identify", "told_apart"),
    [
        (lambda document: document, {"envelope": {"envelope-tagged"}, "signature": {"signature-other-s"}}),
        (lambda document: document[-192:], {"signature": {"signature-other-s"}}),
    ],
    ids=["its bytes", "its signature"],
)
def test_with_a_document_recognised_by(identify, told_apart):
    def verify(inputs):
        answer = strongroom_serve.verify(inputs)
        return answer | {"identity": identify(inputs["document"])} if "identity" in answer else answer

    assert failed(run(verify)) == told_apart
