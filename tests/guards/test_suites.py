# SPDX-License-Identifier: Apache-2.0
"""The suites of vectors fail a verifier that accepts everything, and one that refuses everything.

Each stub is as kind to its suite as it can be: the one that accepts returns what a good input of the same bytes would
give, the one that refuses raises the family of errors that most vectors ask for.
"""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest
from conformance.run import GROUPS
from tests.conformance import suite as nitrotpm
from tests.conftest import genuine_folder
from tests.unit.appraisal import test_evidence as documents
from tests.unit.crypto import test_chain as chains
from tests.vectors import test_bundle_vectors as bundles

from strongroom.appraisal import evidence as evidence_module
from strongroom.errors import FormatError, NotAuthentic, NotTrusted
from strongroom.formats.attestation_document import parse_enclave_document, parse_nitrotpm_document

REFUSALS = (
    FormatError("stub.refused", "no", spec="none"),
    NotAuthentic("stub.refused", "no"),
    NotTrusted("stub.no", "no"),
)
DOCUMENT_SUITE = (
    documents.test_genuine_documents_are_authentic_at_their_time_and_expired_today,
    documents.test_broken_documents_from_the_field_are_refused_for_what_is_wrong,
)
FORGERIES = (
    documents.test_a_signature_of_another_key_is_refused,
    documents.test_a_document_of_another_root_is_refused,
    documents.test_a_document_of_a_test_root_is_refused_with_awss_roots,
    documents.test_a_genuinely_signed_document_of_the_other_kind_is_refused,
)
FAILURES = (AssertionError, pytest.fail.Exception, FormatError, NotAuthentic, NotTrusted)


def refuse(error):
    def verifier(*_, **__):
        raise error

    return verifier


def accept(parse):
    """Return a verifier that believes every document that can be read, and one that cannot be read too."""

    def verifier(data, **_):
        try:
            claims = evidence_module.unverified_claims(parse(data))
        except FormatError:
            return SimpleNamespace(module_id="i-0-tpm0", instance_id="i-0")
        return SimpleNamespace(module_id=claims.module_id, instance_id=claims.module_id.rpartition("-")[0])

    return verifier


def put(monkeypatch, tpm, enclave):
    monkeypatch.setattr(documents, "verify_evidence", tpm)
    monkeypatch.setattr(documents, "verify_enclave_evidence", enclave)


# --- attestation documents --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", DOCUMENT_SUITE)
def test_genuine_documents_fail_a_verifier_that_accepts_everything(suite, genuine_vectors, monkeypatch):
    put(monkeypatch, accept(parse_nitrotpm_document), accept(parse_enclave_document))
    with pytest.raises(FAILURES):
        suite(genuine_vectors)


@pytest.mark.parametrize("suite", DOCUMENT_SUITE)
@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_genuine_documents_fail_a_verifier_that_refuses_everything(suite, error, genuine_vectors, monkeypatch):
    put(monkeypatch, refuse(error), refuse(error))
    with pytest.raises(FAILURES):
        suite(genuine_vectors)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_documents_fail_a_verifier_that_accepts_everything(forgery, monkeypatch):
    forgery()
    put(monkeypatch, accept(parse_nitrotpm_document), accept(parse_enclave_document))
    with pytest.raises(FAILURES):
        forgery()


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_good_documents_fail_a_verifier_that_refuses_everything(error, monkeypatch):
    put(monkeypatch, refuse(error), refuse(error))
    for good in (
        documents.test_a_good_document_becomes_verified_evidence,
        documents.test_an_enclave_document_becomes_evidence_of_another_type,
    ):
        with pytest.raises(FAILURES):
            good()


def any_path(leaf, cabundle, *, root_sha256s, at, real=evidence_module.verify_chain):
    """Verify a path as the real function does, with whatever root it is shown and at a time that suits it."""
    began = chains.x509.load_der_x509_certificate(leaf).not_valid_before_utc
    return real(leaf, cabundle, root_sha256s={chains.hashlib.sha256(cabundle[0]).digest()}, at=began)


@pytest.mark.parametrize(
    ("name", "stub"), [("verify_es384", lambda *_, **__: None), ("verify_chain", any_path)], ids=["signature", "path"]
)
def test_broken_documents_fail_a_verifier_that_leaves_out_one_half(name, stub, genuine_vectors, monkeypatch):
    monkeypatch.setattr(evidence_module, name, stub)
    with pytest.raises(FAILURES):
        documents.test_broken_documents_from_the_field_are_refused_for_what_is_wrong(genuine_vectors)


def test_a_folder_of_genuine_vectors_without_documents_is_an_error(tmp_path):
    (tmp_path / "documents").mkdir()
    with pytest.raises(pytest.fail.Exception, match="no documents"):
        genuine_folder(tmp_path)
    with pytest.raises(pytest.skip.Exception, match="STRONGROOM_VECTORS"):
        genuine_folder(tmp_path / "absent")
    for suite in DOCUMENT_SUITE:
        with pytest.raises((AssertionError, ValueError)):
            suite(tmp_path)


# --- bundles ----------------------------------------------------------------------------------------------------------


def failing(monkeypatch, read):
    """Return how many vectors of each class fail a reader."""
    monkeypatch.setattr(bundles, "read", read)
    failed = Counter()
    for vector in bundles.VECTORS:
        try:
            bundles.test_a_vector_gets_the_answer_it_asks_for(vector)
        except FAILURES:
            failed[vector.one("expect")] += 1
    return failed


def expected(vector):
    context = dict(pair.split("=") for pair in vector.head.get("context", [""])[0].split())
    return {f"strongroom:{name}": value for name, value in context.items()}, vector.head.get("entry", [])


TOTAL = Counter(vector.one("expect") for vector in bundles.VECTORS)


def test_bundle_vectors_fail_a_reader_that_accepts_everything(monkeypatch):
    assert failing(monkeypatch, expected) == TOTAL - Counter(success=TOTAL["success"])


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
def test_bundle_vectors_fail_a_reader_that_refuses_everything(error, monkeypatch):
    asked = next(name for name, kind in bundles.ERRORS.items() if isinstance(error, kind))
    assert failing(monkeypatch, refuse(error)) == TOTAL - Counter({asked: TOTAL[asked]})


def test_bundle_vectors_fail_a_reader_that_opens_everything_to_nothing(monkeypatch):
    assert failing(monkeypatch, lambda _: ({}, [])) == TOTAL


# --- the conformance suite --------------------------------------------------------------------------------------------


def everything(*groups, accepted):
    return {group: nitrotpm.named(group, accepted=accepted) for group in groups}


def test_the_conformance_suite_fails_a_verifier_that_accepts_everything():
    found = nitrotpm.failed(nitrotpm.run(lambda _: {"result": "success"}, "accept"))
    assert found == everything(*(set(GROUPS) - {"good", "name"}), accepted=False)


@pytest.mark.parametrize("level", ["accept", "class"])
@pytest.mark.parametrize("result", ["format", "not-authentic", "not-trusted", "refused"])
def test_the_conformance_suite_fails_a_verifier_that_refuses_everything(result, level):
    found = nitrotpm.failed(nitrotpm.run(lambda _: {"result": result}, level))
    good = everything(*(set(GROUPS) - {"kind"}), accepted=True)
    assert all(found[group] >= names for group, names in good.items())
    if level == "accept":
        assert found == good


def test_the_conformance_suite_fails_a_verifier_that_falls_over_on_everything():
    report = nitrotpm.run(lambda _: {"error": "crashed by signal 11"}, "accept")
    assert all(verdict.fault for verdict in report.verdicts)
