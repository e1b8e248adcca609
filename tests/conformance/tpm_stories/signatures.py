# SPDX-License-Identifier: Apache-2.0
"""Keys at work: signatures, quotes, certification, encryption, credentials."""

import hashlib

from tests.conformance.tpm_differential import Step, Steps, length
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.steps import flush, patient, primary, session
from tests.tpm_commands import (
    ECDSA,
    EMPTY,
    ENDORSEMENT,
    NONE,
    NULL,
    OAEP,
    RSAES,
    RSAPSS,
    RSASSA,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    Command,
    area,
    selection,
    sized,
    spoilt,
    u16,
    u32,
)
from tests.tpm_templates import (
    AK_ECC,
    DECRYPT,
    DECRYPTING_RSA,
    EK_ECC,
    NO_DA,
    NO_SCHEME,
    OWN,
    SIGN,
    SIGNING_ECC,
    SIGNING_RSA,
    SRK_ECC,
    rsa,
)

DIGEST = hashlib.sha256(b"message").digest()
NO_TICKET = u16(0x8024) + u32(NULL) + sized()
"""A TPMT_TK_HASHCHECK that says nothing."""


def _sign(key: int, digest: bytes = DIGEST, scheme: bytes = NO_SCHEME, ticket: bytes = NO_TICKET) -> Command:
    return Command("Sign", (key,), sized(digest) + scheme + ticket, EMPTY)


def ecdsa() -> Steps:
    yield from patient()
    key = yield from primary("key", SIGNING_ECC)
    signed = yield from faults(_sign(key.handle), Spoilt(shown=length))
    signature = signed.parameters()
    verify = Command("VerifySignature", (key.handle,), sized(DIGEST) + signature)
    yield from faults(verify)
    for size in (0, 20, 31, 33, 48):
        yield Step(f"a digest of {size} bytes", _sign(key.handle, bytes(size)))
    for scheme in (ECDSA, RSASSA, RSAPSS, 0x1A, 0x1B, 0x1C, 5, 0x99):
        for hash_alg in (SHA1, SHA256, SHA384, SHA512, NONE):
            count = u16(0) if scheme == 0x1A else b""
            name = f"scheme {scheme:#x} with {hash_alg:#x}"
            yield Step(name, _sign(key.handle, scheme=u16(scheme) + u16(hash_alg) + count), length)
    yield from flush("flush", key)
    yield Step("a key that is gone", _sign(key.handle))


def rsa_signatures() -> Steps:
    yield from patient()
    key = yield from primary("key", SIGNING_RSA)
    yield Step("no scheme", _sign(key.handle))
    for scheme in (RSASSA, RSAPSS, RSAES, OAEP, ECDSA):
        for hash_alg, size in ((SHA1, 20), (SHA256, 32), (SHA384, 48), (SHA512, 64), (NONE, 32)):
            name = f"{scheme:#x} with {hash_alg:#x}"
            signed = yield Step(name, _sign(key.handle, bytes(size), u16(scheme) + u16(hash_alg)))
            verify = Command("VerifySignature", (key.handle,), sized(bytes(size)) + signed.parameters())
            yield Step(f"{name}, verified", verify)
            wrong = Command("VerifySignature", (key.handle,), sized(b"\1" * size) + signed.parameters())
            yield Step(f"{name}, of something else", wrong)
    good = _sign(key.handle, scheme=u16(RSASSA) + u16(SHA256))
    yield from faults(good, Spoilt("Sign RSA", every_byte=False))


def who_may_sign() -> Steps:
    """Keys that do not sign, and restricted keys that sign what the TPM hashed only."""
    yield from patient()
    for name, template in (("storage", SRK_ECC), ("EK", EK_ECC), ("decrypting", DECRYPTING_RSA)):
        key = yield from primary(f"{name} key", template)
        yield Step(f"{name} signs", _sign(key.handle))
        yield Step(f"{name} quotes", _quote(key.handle))
        yield from flush(f"{name} flushed", key)
    restricted = yield from primary("restricted", AK_ECC)
    yield Step("what the TPM has not seen", _sign(restricted.handle))
    for message, name in ((b"message", "a message"), (b"\xffTCG rest", "what looks like the TPM's own")):
        hashed = yield Step(f"hash {name}", _hash(message), length)
        ticket = hashed.parameters()[34:]
        yield Step(f"sign {name}", _sign(restricted.handle, hashed.sized(), ticket=ticket))
        yield Step(f"sign another than {name}", _sign(restricted.handle, ticket=ticket))


def _hash(message: bytes) -> Command:
    return Command("Hash", (), sized(message) + u16(SHA256) + u32(ENDORSEMENT))


def _quote(key: int, scheme: bytes = NO_SCHEME, pcrs: bytes | None = None, data: bytes = b"nonce") -> Command:
    chosen = selection((SHA256, [0, 7])) if pcrs is None else pcrs
    return Command("Quote", (key,), sized(data) + scheme + chosen, EMPTY)


def quotes() -> Steps:
    yield from patient()
    key = yield from primary("key", AK_ECC)
    yield from faults(_quote(key.handle))
    for size in (0, 64, 65, 66, 67):
        yield Step(f"{size} bytes of data", _quote(key.handle, data=bytes(size)))
    for name, pcrs in (
        ("no PCRs", selection()),
        ("two banks", selection((SHA1, [1]), (SHA256, [2]))),
        ("a bank that is off", selection((0x12, [1]))),
        ("all", selection((SHA256, range(24)))),
    ):
        yield Step(name, _quote(key.handle, pcrs=pcrs))
    yield Step("with SHA-384", _quote(key.handle, u16(ECDSA) + u16(SHA384)))
    yield Step("with its own scheme", _quote(key.handle, u16(ECDSA) + u16(SHA256)))
    yield Step("with RSA", _quote(key.handle, u16(RSASSA) + u16(SHA256)))
    yield Step("without a key", _quote(NULL))


def certified() -> Steps:
    yield from patient()
    key = yield from primary("key", AK_ECC)
    other = yield from primary("other", SIGNING_ECC)
    certify = Command("Certify", (other.handle, key.handle), sized(b"nonce") + NO_SCHEME, EMPTY * 2)
    yield from faults(certify)
    yield Step("one session", certify.but(areas=EMPTY))
    yield Step("without a key", certify.but(handles=(other.handle, NULL)))
    yield Step("by a key that has no scheme", certify.but(parameters=sized(bytes(67)) + NO_SCHEME))


def rsa_encryption() -> Steps:
    yield from patient()
    key = yield from primary("key", DECRYPTING_RSA)
    oaep = u16(OAEP) + u16(SHA256)
    encrypt = Command("RSA_Encrypt", (key.handle,), sized(b"secret") + oaep + sized(b"label\0"))
    encrypted = yield from faults(encrypt)
    decrypt = Command("RSA_Decrypt", (key.handle,), sized(encrypted.sized()) + oaep + sized(b"label\0"), EMPTY)
    yield from faults(decrypt, Spoilt(every_byte=False))
    yield Step("another label", decrypt.but(parameters=sized(encrypted.sized()) + oaep + sized(b"other\0")))
    yield Step("a label without its end", encrypt.but(parameters=sized(b"secret") + oaep + sized(b"label")))
    for scheme in (u16(NONE), u16(RSAES), oaep, u16(OAEP) + u16(SHA1), u16(RSASSA) + u16(SHA256), u16(ECDSA)):
        for size in (0, 1, 190, 191, 245, 246, 255, 256, 257):
            text = sized(bytes([0, *([7] * size)])[1:] if size < 256 else bytes(size))
            label = f"{size} bytes with {scheme.hex()}"
            made = yield Step(label, encrypt.but(parameters=text + scheme + sized()))
            back = decrypt.but(parameters=sized(made.sized()) + scheme + sized())
            yield Step(f"{label}, back", back)
    yield from flush("flush", key)
    for name, template in (("signing", SIGNING_RSA), ("ECC", SRK_ECC), ("both", rsa(OWN | NO_DA | SIGN | DECRYPT))):
        other = yield from primary(f"{name} key", template)
        yield Step(f"{name}: encrypts", encrypt.but(handles=(other.handle,)))
        yield Step(f"{name}: decrypts", decrypt.but(handles=(other.handle,)))
        yield from flush(f"{name}: flush", other)


def credentials() -> Steps:
    """A secret for whoever holds both keys: MakeCredential and ActivateCredential under an EK's policy."""
    yield from patient()
    endorsement = yield from primary("EK", EK_ECC, hierarchy=ENDORSEMENT)
    key = yield from primary("key", AK_ECC)
    read = yield Step("read", Command("ReadPublic", (key.handle,)))
    make = Command("MakeCredential", (endorsement.handle,), sized(b"a secret") + sized(read.sized(1)))
    made = yield from faults(make, Spoilt(every_byte=False))
    yield Step("a secret too large", make.but(parameters=sized(bytes(33)) + sized(read.sized(1))))
    yield Step("by a key that does not store", make.but(handles=(key.handle,)))
    policy = yield from session("policy", 1)
    activate = Command("ActivateCredential", (key.handle, endorsement.handle), made.parameters(), ())
    yield Step("without its policy", activate.but(areas=EMPTY * 2))
    areas = (*EMPTY, area(policy.handle))
    yield Step("with another policy", activate.but(areas=areas))
    secret = Command("PolicySecret", (ENDORSEMENT, policy.handle), sized() * 3 + u32(0), EMPTY)
    yield Step("PolicySecret", secret)
    yield from faults(activate.but(areas=areas), Spoilt(undo=secret))
    yield Step("the session has begun anew", activate.but(areas=areas))
    yield Step("PolicySecret again", secret)
    yield Step("another secret", activate.but(areas=areas, parameters=spoilt(made.parameters())))
