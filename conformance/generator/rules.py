# SPDX-License-Identifier: Apache-2.0
"""The rules that every vector is judged by. README.md shows them as a table, which `generate.py` writes."""

from __future__ import annotations

from dataclasses import dataclass

CLASSES = {
    "good": "success",
    "envelope": "format",
    "cbor": "format",
    "payload": "format",
    "kind": "format",
    "path": "not-authentic",
    "time": "not-authentic",
    "signature": "not-authentic",
    "name": "not-authentic",
    "nonce": "not-trusted",
    "age": "not-trusted",
    "pcr": "not-trusted",
    "binding": "not-trusted",
}
"""The class of a vector that breaks a rule of the group. A vector that keeps the rule expects `success`."""

_EC2 = "EC2 User Guide, Validate a NitroTPM Attestation Document"
_NSM = "aws-nitro-enclaves-nsm-api, attestation_process.md"
_CDDL = f"{_EC2} (CDDL)"


@dataclass(frozen=True)
class Rule:
    """One rule: what must hold, who says so, and the attacks that it stops."""

    id: str
    says: str
    source: str
    attacks: str = ""

    @property
    def group(self) -> str:
        """The part of the id before the number: tables count by it."""
        return self.id.rpartition("-")[0]


_ALL = (
    Rule("good-1", "A document that breaks no rule is accepted, whatever it holds beyond what is compared.", _EC2),
    Rule(
        "envelope-1",
        "The document is one COSE_Sign1: an array of a byte string (protected header), a map (unprotected header), a "
        "byte string that is not empty (payload) and a byte string (signature). Tag 18 may stand before it; no other.",
        f"RFC 9052 section 4.2; {_EC2} (COSE and CBOR)",
        "A7",
    ),
    Rule(
        "envelope-2",
        "The protected header is the map {1: -35}, ES384. Nothing outside it says which algorithm it is.",
        f"{_EC2} (COSE and CBOR); RFC 9053 section 2.1",
        "A7",
    ),
    Rule(
        "envelope-3",
        "Nobody acts on what nobody signed, and a header that must be understood (`crit`) is refused.",
        "RFC 9052 sections 3 and 3.1",
        "A7",
    ),
    Rule("envelope-4", "The signature has 96 bytes: r and s, 48 bytes each.", "RFC 9053 section 2.1", "A7, A8"),
    Rule("cbor-1", "Document, protected header and payload are well-formed CBOR.", "RFC 8949 section 3", "A9"),
    Rule(
        "cbor-2",
        "Nothing follows the one item in the document, the protected header, the payload.",
        "this suite: two readers must not see two documents; RFC 8949 appendix C",
        "A9",
    ),
    Rule("cbor-3", "No key stands twice in a map, however it is encoded.", "RFC 8949 section 5.6", "A9"),
    Rule("cbor-4", "Text strings are UTF-8.", "RFC 8949 section 3.1", "A9"),
    Rule(
        "cbor-5",
        "Lengths are not believed and depth has an end: no input makes a verifier crash, hang, or allocate what it "
        "was promised.",
        "RFC 8949 section 10",
        "A10",
    ),
    Rule(
        "payload-1",
        "The payload is a map with text keys: `module_id`, `timestamp`, `digest`, `nitrotpm_pcrs`, `certificate` and "
        "`cabundle` must be there, `public_key`, `user_data` and `nonce` may be; there are no others. Order is free.",
        f"{_CDDL}; RFC 8949 section 3.1",
        "A9",
    ),
    Rule(
        "payload-2",
        "Each field has its type, untagged. The three optional fields may be null, which means absent (every genuine "
        "document has that); nothing else may.",
        f"{_CDDL}; {_NSM} section 3.2.2.2",
        "A9, A16",
    ),
    Rule("payload-3", "`module_id` is not empty.", f"{_NSM} section 3.2.2.2"),
    Rule("payload-4", "`digest` is `SHA384`.", _CDDL),
    Rule("payload-5", "`timestamp` is an integer above 0, of at most 64 bits.", f"{_CDDL}; {_NSM} section 3.2.2.2"),
    Rule(
        "payload-6",
        "There is at least one PCR; indices are integers from 0 to 31; values are byte strings of the length of a "
        "SHA-384 digest, 48.",
        _CDDL,
        "A13",
    ),
    Rule(
        "payload-7",
        "Certificates have 1 to 1024 bytes and are exactly one DER certificate; `cabundle` holds at least one.",
        f"{_CDDL}; {_NSM} section 3.2.2.2; RFC 5280 section 4.1",
    ),
    Rule("payload-8", "Optional fields have at most 1024 bytes; any bytes will do.", _CDDL, "A16"),
    Rule(
        "kind-1",
        "PCRs stand under `nitrotpm_pcrs`. A document with `pcrs` is one of a Nitro Enclave, with other meanings under "
        "the same root.",
        f"{_CDDL}; {_NSM} section 2.2",
        "A11",
    ),
    Rule(
        "kind-2",
        "`module_id` names a TPM (`i-…-tpm…`), not an enclave (`i-…-enc…`).",
        "AWS KMS Developer Guide, CloudTrail entries for NitroTPM; every genuine document has that",
        "A11",
    ),
    Rule(
        "path-1",
        "The only trust anchor is the certificate given as `root`: its bytes, not its names, and never what the "
        "document brings.",
        f"{_EC2} (Certificate chain validity); RFC 5280 section 6.1.1",
        "A5",
    ),
    Rule(
        "path-2",
        "The path is `certificate`, then `cabundle` from its end to its start. Each certificate carries the signature "
        "of the next one's key.",
        f"{_EC2} (Semantic validity); RFC 5280 section 6.1.3 (a)(1)",
        "A5, A6",
    ),
    Rule("path-3", "Each certificate names the next one as issuer.", "RFC 5280 section 6.1.3 (a)(4)", "A5"),
    Rule(
        "path-4",
        "Every issuer is a CA by its basicConstraints; an end entity signs no certificate.",
        f"RFC 5280 section 6.1.4 (k); {_NSM} section 3.2.3.2",
        "A6",
    ),
    Rule(
        "path-5",
        "No path is longer than an issuer's pathLenConstraint allows, the root's included; the leaf has none.",
        f"RFC 5280 section 6.1.4 (l) and (m); {_NSM} section 3.2.3.3",
        "A6",
    ),
    Rule(
        "path-6",
        "Every issuer has the key usage keyCertSign, the leaf digitalSignature.",
        f"RFC 5280 section 6.1.4 (n); {_NSM} section 3.2.3.3",
        "A6",
    ),
    Rule(
        "path-7",
        "A critical extension that is not known is refused; one that is not critical is passed over.",
        "RFC 5280 sections 4.2, 6.1.4 (o) and 6.1.5 (e)",
        "A6",
    ),
    Rule(
        "path-8",
        "The leaf's key is on P-384: r and s of 48 bytes come from no other.",
        f"RFC 9053 section 2.1; {_EC2} (COSE and CBOR)",
        "A7",
    ),
    Rule(
        "time-1",
        "At `time` every certificate of the path is valid, the root included, from notBefore to notAfter, both "
        "included. The document's own timestamp plays no part in that.",
        f"{_EC2} (Certificate validity); {_NSM} section 3.2.3.1; RFC 5280 section 4.1.2.5",
        "A4",
    ),
    Rule(
        "signature-1",
        'The signature is one of the leaf\'s key, ECDSA with SHA-384, over the Sig_structure ["Signature1", protected, '
        "h'', payload].",
        "RFC 9052 section 4.4; RFC 9053 section 2.1",
        "A1",
    ),
    Rule("signature-2", "r and s lie between 1 and n-1.", "FIPS 186-5 section 6.4.2", "A8"),
    Rule(
        "signature-3",
        "(r, n-s) is as good a signature as (r, s). Both are the same document: what identifies one is not its "
        "signature.",
        "FIPS 186-5 section 6.4.2",
        "A8",
    ),
    Rule(
        "name-1",
        "The leaf's common name is `<module_id>.<region>.aws`.",
        "this suite: every genuine document has that",
        "A14",
    ),
    Rule("nonce-1", "`nonce` is there, and equals the given one in every byte.", f"{_NSM} section 2.2.2 (Nonce)", "A2"),
    Rule(
        "age-1",
        "`timestamp`, in milliseconds since 1970, is no older than `max-age` at `time`, and not in the future but for "
        "a tolerance of at most five minutes.",
        f"{_CDDL}; this suite: a captured document is good for hours otherwise",
        "A3",
    ),
    Rule(
        "pcr-1",
        "Every PCR that is given is in the document, with exactly the given value.",
        "AWS KMS Developer Guide, condition keys for NitroTPM; this suite: what is absent does not match",
        "A13",
    ),
    Rule(
        "pcr-2",
        "PCR 4 and 7 are not all zeros: a boot through UEFI measures into both.",
        "this suite: otherwise a rule taken from an unmeasured machine admits every other one",
        "A12",
    ),
    Rule(
        "binding-1",
        "Where a `public-key` or `user-data` is given, the document's field is there and equals it in every byte.",
        f"{_NSM} section 2.2.2 (Public Key, User data)",
        "A14",
    ),
)
RULES = {rule.id: rule for rule in _ALL}
"""By id, in the order of a verification."""


def table() -> str:
    """Return the rules as a table in Markdown."""
    rows = [f"| `{r.id}` | {r.says} | {r.source} |" for r in _ALL]
    return "\n".join(("| rule | what must hold | who says so |", "|---|---|---|", *rows))
