# SPDX-License-Identifier: Apache-2.0
"""Two faults in one command: which of them is named says in what order a TPM looks (Part 3, section 5)."""

from tests.conformance.tpm_differential import Step, Steps
from tests.conformance.tpm_stories.steps import STARTUP, flush, patient, primary, session
from tests.tpm_commands import (
    EMPTY,
    NULL,
    OWNER,
    PASSWORD,
    PLATFORM,
    SESSIONS,
    SHA256,
    Command,
    area,
    digests,
    password,
    sized,
    u8,
    u16,
    u32,
)
from tests.tpm_templates import FIXED, NO_DA, SEALED, SEALED_GUARDED, SIGN, SRK_ECC, keyed_hash, rsa, to_create

WRONG = (password(b"wrong"),)
NOT_LOADED = area(0x02000000)
VALUE = digests((SHA256, bytes(32)))
TRIAL = 3


def before_startup() -> Steps:
    yield Step("tag and code", Command("GetRandom", tag=0xC4, code=0x999))
    yield Step("size and code", Command("GetRandom", code=0x999, size_off_by=1))
    yield Step("code and not started", Command("GetRandom", code=0x999))
    yield Step("size and not started", Command("GetRandom", size_off_by=1))
    yield Step("Startup with too much", Command("Startup", (), u16(0) + b"x"))
    yield Step("Startup with too much, at a wrong locality", Command("Startup", (), u16(0) + b"x", locality=1))
    yield Step("Startup of no kind, at a wrong locality", Command("Startup", (), u16(9), locality=1))
    yield STARTUP
    yield Step("a second Startup, at a wrong locality", Command("Startup", (), u16(0), locality=1))


def of_a_pcr() -> Steps:
    yield from patient()
    good = Command("PCR_Extend", (0,), VALUE, EMPTY)
    cut, long = VALUE[:-1], VALUE + b"x"
    for name, command in (
        ("handle, no sessions", good.but(handles=(24,), areas=())),
        ("handle, wrong password", good.but(handles=(24,), areas=WRONG)),
        ("handle, area", good.but(handles=(24,), areas=(), tag=SESSIONS, parameters=u32(3))),
        ("wrong password, cut parameters", good.but(areas=WRONG, parameters=cut)),
        ("wrong password, long parameters", good.but(areas=WRONG, parameters=long)),
        ("no sessions, cut parameters", good.but(areas=(), parameters=cut)),
        ("locality, long parameters", good.but(handles=(17,), parameters=long)),
        ("locality, hash", good.but(handles=(17,), parameters=digests((0x99, bytes(32))))),
        ("attribute, session not loaded", good.but(areas=(area(0x02000000, attributes=9),))),
        ("session not loaded, second session of no kind", good.but(areas=(NOT_LOADED, area(OWNER)))),
        ("wrong password, second session not loaded", good.but(areas=(*WRONG, NOT_LOADED))),
        ("wrong password, a password too many", good.but(areas=WRONG + EMPTY)),
        ("nonce, wrong password", good.but(areas=(area(PASSWORD, nonce=b"n", proof=b"wrong"),))),
        ("attribute, wrong password", good.but(areas=(area(PASSWORD, attributes=0x41, proof=b"wrong"),))),
        ("attribute, nonce", good.but(areas=(area(PASSWORD, attributes=0x41, nonce=b"n"),))),
    ):
        yield Step(name, command)


def of_objects() -> Steps:
    yield from patient()
    unseal = Command("Unseal", (0x80000000,), b"", EMPTY)
    certify = Command("Certify", (0x80000000, 0x80000001), b"", EMPTY * 2)
    for name, command in (
        ("not loaded, wrong password", unseal.but(areas=WRONG)),
        ("not loaded, no session", unseal.but(areas=())),
        ("not loaded, area", unseal.but(areas=(), tag=SESSIONS, parameters=u32(3))),
        ("first not loaded, second of no kind", certify.but(handles=(0x80000000, OWNER))),
        ("first not loaded, second missing", certify.but(handles=(0x80000000,), areas=(), tag=SESSIONS)),
        ("both not loaded", certify),
        ("both indices undefined", Command("NV_Read", (0x01000000, 0x01000000), bytes(4), EMPTY)),
        ("nobody's hierarchy, wrong password", Command("CreatePrimary", (NULL,), to_create(SRK_ECC), WRONG)),
    ):
        yield Step(name, command)


def of_authorisations() -> Steps:
    yield from patient()
    guarded = yield from primary("guarded", SEALED_GUARDED, auth=b"auth", data=b"x")
    free = yield from primary("free", SEALED, auth=b"auth", data=b"x")
    policy = yield from session("policy", 1)
    for name, key in (("guarded", guarded), ("free", free)):
        unseal = Command("Unseal", (key.handle,), b"", WRONG)
        yield Step(f"{name}: wrong password", unseal)
        yield Step(f"{name}: wrong password, long parameters", unseal.but(parameters=b"x"))
        yield Step(f"{name}: a policy that it has not", unseal.but(areas=(area(policy.handle),)))
    change = Command("HierarchyChangeAuth", (OWNER,), sized(), (area(policy.handle),))
    yield Step("a policy that the owner has not", change)
    yield from flush("flush", free)
    template = keyed_hash(FIXED | NO_DA, policy=bytes(32))
    strict = yield from primary("by policy only", template, data=b"x")
    unseal = Command("Unseal", (strict.handle,), b"", EMPTY)
    yield Step("a password where there is only a policy", unseal)
    yield Step("a wrong password where there is only a policy", unseal.but(areas=WRONG))
    yield Step("its policy, long parameters", unseal.but(areas=(area(policy.handle),), parameters=b"x"))
    yield Step("its policy, which is empty", unseal.but(areas=(area(policy.handle),)))
    trial = yield from session("trial", TRIAL)
    yield Step("a trial session", unseal.but(areas=(area(trial.handle),)))


def of_what_is_off() -> Steps:
    yield from patient()
    yield Step("off", Command("HierarchyControl", (PLATFORM,), u32(OWNER) + u8(0), EMPTY))
    change = Command("HierarchyChangeAuth", (OWNER,), sized(), EMPTY)
    yield Step("the right password", change)
    yield Step("no sessions", change.but(areas=()))
    yield Step("a wrong password", change.but(areas=WRONG))
    yield Step("long parameters", change.but(parameters=sized() + b"x"))
    yield Step("a primary object", Command("CreatePrimary", (OWNER,), to_create(SRK_ECC), EMPTY))
    key = rsa(SIGN, unique=b"\xc1" + bytes(254) + b"\1")
    yield Step("an external object", Command("LoadExternal", (), sized() + sized(key) + u32(OWNER)))
    yield Step("a hash", Command("Hash", (), sized(b"a") + u16(SHA256) + u32(OWNER)), lambda response: response[:46])
