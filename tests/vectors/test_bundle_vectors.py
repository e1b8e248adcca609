# SPDX-License-Identifier: Apache-2.0
"""Our reader gives every bundle vector the answer that the vector asks for."""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.vectors.loader import load_vector, load_vectors

from strongroom.crypto.header_signature import verify_escrow
from strongroom.crypto.key_transport import RecipientKey, encrypt_to_recipient
from strongroom.crypto.public_keys import key_id_of
from strongroom.errors import FormatError, NotAuthentic, NotTrusted
from strongroom.flows.open import InstanceFacts, open_bundle
from strongroom.formats.bundle import parse_escrow
from strongroom.formats.bundle_trust import BundleTrust, PinnedSigner, SignatureAlgorithm, SignerRole
from strongroom.ids import SpkiDer

FOLDER = Path(__file__).parent / "bundle"
KEYS = (
    *("kind", "product", "name", "floor", "key-accounts", "partition", "account", "region", "now"),
    *("signer", "data-key", "context", "entry"),
)
VECTORS = load_vectors(FOLDER, KEYS)
ERRORS = {"format": FormatError, "not-authentic": NotAuthentic, "not-trusted": NotTrusted}


class VectorKms:
    """Answers with the vector's data key, whatever it is asked, and remembers the context."""

    def __init__(self, data_key: bytes) -> None:
        self.data_key = data_key
        self.context: dict[str, str] = {}

    def attest(self, *, public_key=None, nonce=None, user_data=None):
        return public_key

    def decrypt(self, wrapped_key, *, key_arn, context, recipient):
        self.context = context
        return encrypt_to_recipient(recipient, self.data_key)


@pytest.fixture(scope="module", autouse=True)
def _one_recipient_key():
    """One RSA key for all vectors: making one takes longer than all the rest."""
    key = RecipientKey.generate()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecipientKey, "generate", lambda: key)
        yield


def trust_of(vector):
    algorithm, roles, key = vector.one("signer").split()
    spki = SpkiDer(bytes.fromhex(key))
    signer = PinnedSigner(
        key_id_of(spki),
        SignatureAlgorithm(int(algorithm)),
        spki,
        frozenset(map(SignerRole, roles.split(","))),
    )
    return BundleTrust(
        vector.one("product"),
        (signer,),
        {vector.one("name"): int(vector.one("floor"))},
        frozenset({vector.one("key-accounts")}),
        vector.one("partition"),
    )


def read(vector):
    """Return context and entries."""
    trust = trust_of(vector)
    if vector.one("kind") == "escrow":
        return verify_escrow(parse_escrow(vector.payload), signers=trust.signers).fields.subject.context(), []
    kms = VectorKms(bytes.fromhex(vector.one("data-key")))
    opened = open_bundle(
        vector.payload,
        name=vector.one("name"),
        trust=trust,
        instance=InstanceFacts(vector.one("account"), vector.one("region")),
        now=datetime.fromtimestamp(int(vector.one("now")), UTC),
        evidence_source=kms,
        kms=kms,
    )
    entries = [
        f"{e.info.name} {e.info.media_type} {e.info.mode:o} {hashlib.sha256(e.content).hexdigest()}"
        for e in opened.entries
    ]
    return kms.context, entries


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v.name)
def test_a_vector_gets_the_answer_it_asks_for(vector):
    expect = vector.one("expect")
    if expect == "success":
        context, entries = read(vector)
        assert context == {f"strongroom:{k}": v for k, v in (p.split("=") for p in vector.one("context").split())}
        assert entries == vector.head.get("entry", [])
    else:
        with pytest.raises(ERRORS[expect]):
            read(vector)


def test_every_class_that_a_file_can_cause_has_a_vector():
    assert {v.one("expect") for v in VECTORS} == {"success", *ERRORS}


def test_an_empty_folder_of_vectors_is_an_error(tmp_path):
    with pytest.raises(AssertionError, match="no vectors"):
        load_vectors(tmp_path, KEYS)


def test_an_unknown_key_in_a_vector_is_an_error(tmp_path):
    path = tmp_path / "x.vector"
    path.write_bytes(b"expect: success\nspec: s\ncomment: c\nnonce: 1\n\n")
    with pytest.raises(AssertionError, match="unknown key nonce"):
        load_vector(path, KEYS)


def test_the_generator_writes_exactly_these_vectors(tmp_path):
    for file in FOLDER.glob("*.py"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    subprocess.run([sys.executable, str(tmp_path / "generate.py")], check=True, capture_output=True)
    assert {p.name: p.read_bytes() for p in tmp_path.glob("*.vector")} == {
        p.name: p.read_bytes() for p in FOLDER.glob("*.vector")
    }
