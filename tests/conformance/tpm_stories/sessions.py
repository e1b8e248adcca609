# SPDX-License-Identifier: Apache-2.0
"""Sessions: started, used, misused, bound, audited, and with parameters that nobody else reads."""

import hashlib
from collections.abc import Callable

from tests.conformance.tpm_differential import Note, Step, Steps, length
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.nv_commands import INDEX, PLAIN, WRITTEN, define, read, write
from tests.conformance.tpm_stories.steps import flush, patient, primary, session
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    NONE,
    NULL,
    OWNER,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    Command,
    area,
    password,
    sized,
    spoilt,
    u8,
    u16,
    u32,
)
from tests.tpm_sessions import (
    AES128_CFB,
    AES256_CFB,
    AUDIT,
    AUDIT_EXCLUSIVE,
    AUDIT_RESET,
    CALLER_NONCE,
    CONTINUE,
    DECRYPT,
    ENCRYPT,
    Session,
    names_of_indices,
    salt_for_p256,
    salt_for_rsa,
    xor_with,
)
from tests.tpm_templates import DECRYPTING_RSA, EK_ECC, EK_RSA, FIXED, NO_DA, SIGNING_ECC, SRK_ECC, SRK_RSA, keyed_hash

HMAC_KIND, POLICY, TRIAL = 0, 1, 3
OWNER_NAME = u32(OWNER)


def _start(
    *, kind: int = HMAC_KIND, salt: bytes = b"", symmetric: bytes = u16(NONE), hash_alg: int = SHA256, bind: int = NULL
) -> Command:
    parameters = sized(CALLER_NONCE) + sized(salt) + u8(kind) + symmetric + u16(hash_alg)
    return Command("StartAuthSession", (NULL, bind), parameters)


def starting() -> Steps:
    yield from patient()
    for kind in (HMAC_KIND, POLICY, TRIAL):
        yield from faults(_start(kind=kind), Spoilt(f"StartAuthSession {kind}", handles=kind == HMAC_KIND))
        yield from flush(f"flush {kind}", 0x02000000 if kind == HMAC_KIND else 0x03000000)
    for size in (0, 15, 16, 17, 32, 33, 64):
        parameters = sized(bytes(size)) + sized() + u8(0) + u16(NONE) + u16(SHA256)
        made = yield Step(f"a nonce of {size} bytes", Command("StartAuthSession", (NULL, NULL), parameters))
        yield from flush(f"flush that of {size} bytes", made)
    for hash_alg in (SHA1, SHA256, SHA384, SHA512, 0x12, NONE, 0):
        made = yield Step(f"with {hash_alg:#x}", _start(hash_alg=hash_alg))
        yield from flush(f"flush that with {hash_alg:#x}", made)
    for symmetric in (AES128_CFB, AES256_CFB, xor_with(SHA256), xor_with(NONE), u16(6) + u16(128) + u16(0x40), u16(5)):
        made = yield Step(f"ciphered with {symmetric.hex()}", _start(symmetric=symmetric))
        yield from flush(f"flush that with {symmetric.hex()}", made)
    yield Step("salted by nobody", _start(salt=b"salt"))


def salted() -> Steps:
    """What is no salt for the key that is named."""
    yield from patient()
    for name, template in (("RSA", SRK_RSA), ("ECC", SRK_ECC), ("signing", SIGNING_ECC), ("plain", DECRYPTING_RSA)):
        key = yield from primary(name, template)
        for size in (0, 1, 36, 68, 256, 257):
            start = _start(salt=bytes(size)).but(handles=(key.handle, NULL))
            yield Step(f"{name}: {size} bytes", start)
        yield from flush(f"{name}: flush", key)
        yield Step(f"{name}: gone", _start(salt=bytes(36)).but(handles=(key.handle, NULL)))


def salted_by_rsa() -> Steps:
    """As AWS's client does it: the salt goes to an endorsement key, and the session hides what it reads and writes."""
    yield from _salted_by(EK_RSA, lambda public: _rsa_salt(public[-256:]))


def salted_by_ecc() -> Steps:
    yield from _salted_by(EK_ECC, lambda public: salt_for_p256(public[-66:-34], public[-32:]))


def _rsa_salt(modulus: bytes) -> tuple[bytes, bytes]:
    salt = bytes(range(32))
    return salt_for_rsa(modulus, salt), salt


def _salted_by(template: bytes, make: Callable[[bytes], tuple[bytes, bytes]]) -> Steps:
    yield from patient()
    key = yield from primary("EK", template, hierarchy=ENDORSEMENT)
    if key.code != 0:
        return  # nobody to send a salt to, which the step before shows
    sent, salt = make(key.sized(0, 1))
    for hash_alg, symmetric, bits in ((SHA256, AES128_CFB, 128), (SHA512, AES128_CFB, 128), (SHA384, AES256_CFB, 256)):
        name = f"{hash_alg:#x}, AES-{bits}"
        start = _start(salt=sent, symmetric=symmetric, hash_alg=hash_alg).but(handles=(key.handle, NULL))
        made = yield Step(f"{name}: start", start)
        ours = Session.started(made, hash_alg=hash_alg, secret=salt, aes_bits=bits)
        yield from _hidden(name, ours, b"")
        yield from flush(f"{name}: flush", made)
    yield Step("a spoilt salt", _start(salt=spoilt(sent)).but(handles=(key.handle, NULL)))


def too_many() -> Steps:
    """Three loaded sessions and 64 active ones."""
    yield from patient()
    made = []
    for number in range(5):
        made += [(yield Step(f"session {number}", _start(kind=number % 2)))]
    for group in (0x02000000, 0x03000000):
        yield Step(f"handles of {group:#x}", Command("GetCapability", (), u32(1) + u32(group) + u32(10)))
    for number, response in enumerate(made):
        yield from flush(f"flush {number}", response)
    yield from flush("flush the first again", made[0])


def proving() -> Steps:
    """HMACs that are right, wrong, stale, of another command, or not there."""
    yield from patient()
    yield Step("owner's password", Command("HierarchyChangeAuth", (OWNER,), sized(b"owner"), EMPTY))
    ours = Session.started((yield Step("start", _start())))
    clock = Command("ClockSet", (OWNER,), bytes(7) + b"\x01")
    wanted = Command("HierarchyChangeAuth", (OWNER,), sized(b"owner"))
    good = ours.authorise(wanted, [OWNER_NAME], b"owner")
    for name, wrong in (
        ("a wrong password", ours.authorise(wanted, [OWNER_NAME], b"other")),
        ("a wrong name", ours.authorise(wanted, [u32(NULL)], b"owner")),
        ("another command", ours.authorise(clock, [OWNER_NAME], b"owner").but(name=wanted.name)),
        ("no HMAC", good.but(areas=(area(ours.handle, nonce=CALLER_NONCE),))),
        ("a short HMAC", good.but(areas=(good.areas[0][:-34] + sized(good.areas[0][-32:-1]),))),
        ("other parameters", good.but(parameters=sized(b"0wner"))),
        ("other attributes", good.but(areas=(good.areas[0][:22] + b"\0" + good.areas[0][23:],))),
    ):
        yield Step(name, wrong)
    response = yield Step("right", good)
    yield Note("the answer is proved", ours.judge(good.name, response, b"owner"))
    yield Step("the same again", good)
    once = ours.authorise(wanted, [OWNER_NAME], b"owner", attributes=0)
    response = yield Step("for the last time", once)
    yield Note("the last answer is proved", ours.judge(once.name, response, b"owner"))
    yield Step("it is over", ours.authorise(wanted, [OWNER_NAME], b"owner"))


def bound() -> Steps:
    """A session bound to the owner proves knowledge of its password without its HMAC key holding it twice."""
    yield from patient()
    yield Step("owner's password", Command("HierarchyChangeAuth", (OWNER,), sized(b"owner"), EMPTY))
    start = yield Step("start", _start(bind=OWNER))
    ours = Session.started(start, secret=b"owner", bound_to=OWNER_NAME)
    wanted = Command("ClockSet", (OWNER,), bytes(4) + b"\1" + bytes(3))
    response = yield Step("its own entity", ours.authorise(wanted, [OWNER_NAME]))
    yield Note("proved", ours.judge(wanted.name, response))
    wanted = Command("HierarchyChangeAuth", (OWNER,), sized(b"new"))
    yield Step("change it", ours.authorise(wanted, [OWNER_NAME]))
    yield Step("no longer its entity", ours.authorise(wanted, [OWNER_NAME]))


def _hidden(name: str, ours: Session, owner: bytes) -> Steps:
    """Define, write and read an index whose password and content travel hidden."""
    plain = define(PLAIN, 64, auth=b"index password")
    public = plain.parameters[2 + 14 + 2 :]
    command = ours.authorise(plain, [OWNER_NAME], owner, attributes=CONTINUE | DECRYPT)
    response = yield Step(f"{name}: define", command)
    yield Note(f"{name}: defined, proved", ours.judge("NV_DefineSpace", response, b"" if ours.bound_to else owner))
    written = public[:6] + u32(PLAIN | WRITTEN) + public[10:]
    fresh, used = names_of_indices(public, written)
    content = bytes(range(40))
    command = ours.authorise(write(content, by=INDEX), [fresh] * 2, b"index password", attributes=CONTINUE | DECRYPT)
    response = yield Step(f"{name}: write", command)
    yield Note(f"{name}: written, proved", ours.judge("NV_Write", response, b"index password"))
    yield Step(f"{name}: as the owner reads it", read(40, areas=(password(owner),)))
    command = ours.authorise(read(40, by=INDEX), [used] * 2, b"index password", attributes=CONTINUE | ENCRYPT)
    response = yield Step(f"{name}: read", command, length)
    yield Note(f"{name}: read, proved", ours.judge("NV_Read", response, b"index password"))
    yield Note(f"{name}: revealed", ours.reveal(response, b"index password") == sized(content))
    stale = ours.authorise(read(40, by=INDEX), [fresh] * 2, b"index password", attributes=CONTINUE | ENCRYPT)
    yield Step(f"{name}: by its old name", stale)
    undefined = Command("NV_UndefineSpace", (OWNER, INDEX), b"", (password(owner),))
    yield Step(f"{name}: undefine", undefined)


def bound_and_hidden() -> Steps:
    """The key that hides a parameter holds the owner's password again, though the session is bound to the owner."""
    yield from patient()
    yield Step("owner's password", Command("HierarchyChangeAuth", (OWNER,), sized(b"owner"), EMPTY))
    for hash_alg in (SHA1, SHA256, SHA384, SHA512):
        for symmetric, bits in ((AES128_CFB, 128), (AES256_CFB, 256), (xor_with(hash_alg), 0)):
            name = f"{symmetric.hex()}, {hash_alg:#x}"
            made = yield Step(f"{name}: start", _start(symmetric=symmetric, hash_alg=hash_alg, bind=OWNER))
            ours = Session.started(made, hash_alg=hash_alg, secret=b"owner", aes_bits=bits, bound_to=OWNER_NAME)
            yield from _hidden(name, ours, b"owner")
            yield from flush(f"{name}: flush", made)


def policy_with_hmac() -> Steps:
    """PolicyAuthValue: the policy session proves the password of the object that it opens."""
    yield from patient()
    trial = yield from session("trial", TRIAL)
    yield Step("policy", Command("PolicyAuthValue", (trial.handle,)))
    policy = (yield Step("digest", Command("PolicyGetDigest", (trial.handle,)))).sized()
    template = keyed_hash(FIXED | NO_DA, policy=policy)
    sealed = yield from primary("seal", template, data=b"secret", auth=b"auth")
    made = yield Step("session", _start(kind=POLICY))
    ours = Session.started(made)
    name = sealed.sized(0, 1)
    object_name = u16(SHA256) + hashlib.sha256(name).digest()
    unseal = Command("Unseal", (sealed.handle,))
    for label, auth in (("a wrong password", b"wrong"), ("the right password", b"auth")):
        yield Step(f"{label}: assert", Command("PolicyAuthValue", (made.handle,)))
        response = yield Step(label, ours.authorise(unseal, [object_name], auth))
        if label.startswith("the right"):
            yield Note("proved", ours.judge("Unseal", response, auth))
        yield Step(f"{label}: restart", Command("PolicyRestart", (made.handle,)))


def attributes() -> Steps:
    """Each attribute of a session, alone and beside continueSession, for commands that need none and that need one."""
    yield from patient()
    for kind in (HMAC_KIND, POLICY, TRIAL):
        for symmetric in (u16(NONE), AES128_CFB):
            for bit in range(8):
                name = f"kind {kind}, {symmetric.hex()}, bit {bit}"
                made = yield Step(f"{name}: start", _start(kind=kind, symmetric=symmetric))
                own = area(made.handle, attributes=1 << bit | CONTINUE, nonce=CALLER_NONCE)
                yield Step(f"{name}: GetRandom", Command("GetRandom", (), u16(4), (own,)), length)
                yield Step(f"{name}: GetTestResult", Command("GetTestResult", (), b"", (own,)), length)
                yield Step(
                    f"{name}: HierarchyChangeAuth", Command("HierarchyChangeAuth", (OWNER,), sized(), (own,)), length
                )
                yield from flush(f"{name}: flush", made)
    made = yield Step("twice: start", _start(symmetric=AES128_CFB))
    own = area(made.handle, attributes=DECRYPT | ENCRYPT | CONTINUE, nonce=CALLER_NONCE)
    yield Step("twice the same session", Command("GetRandom", (), u16(4), (own, own)))
    other = yield Step("another: start", _start(symmetric=AES128_CFB))
    second = area(other.handle, attributes=DECRYPT | CONTINUE, nonce=CALLER_NONCE)
    yield Step("two to hide one parameter", Command("StirRandom", (), sized(b"x"), (own, second)))


def audited() -> Steps:
    """An audit session is exclusive until another command comes between."""
    yield from patient()
    made = yield Step("start", _start())
    for name, bits in (
        ("first", AUDIT),
        ("second", AUDIT),
        ("exclusive", AUDIT | AUDIT_EXCLUSIVE),
        ("reset", AUDIT | AUDIT_RESET),
    ):
        own = area(made.handle, attributes=bits | CONTINUE, nonce=CALLER_NONCE)
        yield Step(name, Command("GetCapability", (), u32(6) + u32(0x105) + u32(1), (own,)))
    yield Step("between", Command("GetRandom", (), u16(1)))
    own = area(made.handle, attributes=AUDIT | AUDIT_EXCLUSIVE | CONTINUE, nonce=CALLER_NONCE)
    yield Step("no longer exclusive", Command("GetCapability", (), u32(6) + u32(0x105) + u32(1), (own,)))
    yield from session("another", POLICY)
