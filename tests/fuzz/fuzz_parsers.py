# SPDX-License-Identifier: Apache-2.0
"""One coverage-guided fuzz run of one parser (atheris). Run by test_fuzz.py; by hand:

python tests/fuzz/fuzz_parsers.py PARSER CORPUS-FOLDER -runs=100000

A parser may raise FormatError (certificates and DSA also NotAuthentic) and nothing else. The corpus starts with seeds
that we made; no genuine document is ever part of it.
"""

import sys
import warnings

import atheris

with atheris.instrument_imports(include=["strongroom"]):
    from strongroom.appraisal.identity import verify_unsafe_legacy_pkcs7
    from strongroom.crypto.chain import verify_chain
    from strongroom.errors import FormatError, NotAuthentic
    from strongroom.formats.attestation_document import parse_enclave_document, parse_nitrotpm_document
    from strongroom.formats.cbor import Profile, decode
    from strongroom.formats.cose import parse_cose_sign1
    from strongroom.formats.identity_document import parse_identity_document
    from strongroom.formats.identity_signature import decode_signature_file
    from strongroom.formats.pkcs7 import parse_signed_data

from tests.fuzz.seeds import FUZZ_TIME


def _chain(data: bytes) -> None:
    import hashlib

    verify_chain(data, (data,), root_sha256s={hashlib.sha256(data).digest()}, at=FUZZ_TIME)


def _dsa(data: bytes) -> None:
    """Verify a DSA signature: only what passes the parser gets to the arithmetic."""
    from tests import identity_signer

    pinned = {identity_signer.REGION: identity_signer.dsa_certificate()}
    verify_unsafe_legacy_pkcs7(identity_signer.document(), data, certificates=pinned)


PARSERS = {
    "cbor-aws": lambda data: decode(data, Profile.AWS),
    "cbor-deterministic": lambda data: decode(data, Profile.DETERMINISTIC),
    "cose": lambda data: parse_cose_sign1(data, Profile.AWS),
    "nitrotpm": parse_nitrotpm_document,
    "enclave": parse_enclave_document,
    "pkcs7": parse_signed_data,
    "identity": parse_identity_document,
    "identity-signature": decode_signature_file,
    "dsa": _dsa,
    "chain": _chain,
}


def main() -> None:
    parser = PARSERS[sys.argv.pop(1)]
    warnings.simplefilter("ignore")  # cryptography warns of certificates that it will refuse one day

    def one(data: bytes) -> None:
        try:
            parser(data)
        except (FormatError, NotAuthentic):
            return

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
