# SPDX-License-Identifier: Apache-2.0
"""Objects under a parent: created, loaded, sealed, kept, and taken out and in again."""

import hashlib

from tests.conformance.tpm_differential import POWER_CYCLE, Step, Steps, length
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.steps import STARTUP, flush, patient, primary
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    NULL,
    OWNER,
    PLATFORM,
    RSA,
    SHA256,
    Command,
    Response,
    password,
    sized,
    u16,
    u32,
)
from tests.tpm_templates import (
    FIXED,
    HMAC_KEY,
    NO_DA,
    NO_SCHEME,
    NO_SYMMETRIC,
    OWN,
    SEALED,
    SIGN,
    SIGNING_ECC,
    SRK_ECC,
    USER_WITH_AUTH,
    ecc,
    keyed_hash,
    public,
    to_create,
)

PERSISTENT = 0x81000001
REMOVED = Command("EvictControl", (OWNER, PERSISTENT), u32(PERSISTENT), EMPTY)


def blobs(made: Response) -> bytes:
    """The private and the public part that TPM2_Create made, as TPM2_Load wants them."""
    private = made.sized(0)
    return sized(private) + sized(made.sized(1))


def creating() -> Steps:
    yield from patient()
    parent = yield from primary("parent", SRK_ECC)
    create = Command("Create", (parent.handle,), to_create(SEALED, auth=b"auth", data=b"secret"), EMPTY)
    yield from faults(create, Spoilt(shown=length))
    key = Command("Create", (parent.handle,), to_create(SIGNING_ECC), EMPTY)
    yield from faults(key, Spoilt("Create a key", every_byte=False))
    leaf = yield from primary("no parent", SIGNING_ECC)
    yield Step("under what stores nothing", key.but(handles=(leaf.handle,)))
    other = ecc(OWN & ~FIXED | SIGN)
    yield Step("that may move, under what may not", key.but(parameters=to_create(other)))
    yield Step("half fixed", key.but(parameters=to_create(ecc(OWN & ~2 | SIGN))))


def loading() -> Steps:
    yield from patient()
    parent = yield from primary("parent", SRK_ECC)
    made = yield Step(
        "create", Command("Create", (parent.handle,), to_create(SEALED, auth=b"auth", data=b"secret"), EMPTY)
    )
    load = Command("Load", (parent.handle,), blobs(made), EMPTY)
    loaded = yield from faults(load)
    yield from faults(Command("ReadPublic", (loaded.handle,)), Spoilt(shown=length))
    unseal = Command("Unseal", (loaded.handle,), b"", (password(b"auth"),))
    yield from faults(unseal)
    yield from flush("flush", loaded)
    yield Step("unseal what is gone", unseal)
    other = yield from primary("another parent", ecc(0x30472, symmetric=u16(6) + u16(128) + u16(0x43), unique=b"x"))
    yield Step("under another parent", load.but(handles=(other.handle,)))


def loading_keys() -> Steps:
    """Keys of each kind that a guest makes under its SRK."""
    yield from patient()
    parent = yield from primary("parent", SRK_ECC)
    for name, template in (("ECC", SIGNING_ECC), ("HMAC", HMAC_KEY), ("storage", SRK_ECC)):
        made = yield Step(f"create {name}", Command("Create", (parent.handle,), to_create(template), EMPTY))
        loaded = yield Step(f"load {name}", Command("Load", (parent.handle,), blobs(made), EMPTY))
        if name == "storage":
            command = Command("Create", (loaded.handle,), to_create(SEALED, data=b"deep"), EMPTY)
            deep = yield Step("create below", command)
            below = yield Step("load below", Command("Load", (loaded.handle,), blobs(deep), EMPTY))
            yield Step("unseal below", Command("Unseal", (below.handle,), b"", EMPTY))
            yield from flush("flush below", below)
        yield Step(f"unseal {name}", Command("Unseal", (loaded.handle,), b"", EMPTY))
        yield from flush(f"flush {name}", loaded)


def loading_after_restart() -> Steps:
    """What was sealed before a reset is loaded after it; TPM2_Clear ends that."""
    yield from patient()
    parent = yield from primary("parent", SRK_ECC)
    made = yield Step("create", Command("Create", (parent.handle,), to_create(SEALED, data=b"secret"), EMPTY))
    yield Step("power", POWER_CYCLE)
    yield STARTUP.but("second startup")
    yield Step("the parent is gone", Command("ReadPublic", (parent.handle,)))
    again = yield from primary("parent again", SRK_ECC)
    load = Command("Load", (again.handle,), blobs(made), EMPTY)
    loaded = yield Step("load", load)
    yield Step("unseal", Command("Unseal", (loaded.handle,), b"", EMPTY))
    yield Step("clear", Command("Clear", (PLATFORM,), b"", EMPTY))
    yield Step("the object is gone", Command("ReadPublic", (loaded.handle,)))
    fresh = yield from primary("a new parent", SRK_ECC)
    yield Step("load under it", load.but(handles=(fresh.handle,)))


def changing_auth() -> Steps:
    yield from patient()
    parent = yield from primary("parent", SRK_ECC)
    made = yield Step(
        "create", Command("Create", (parent.handle,), to_create(SEALED, auth=b"old", data=b"secret"), EMPTY)
    )
    loaded = yield Step("load", Command("Load", (parent.handle,), blobs(made), EMPTY))
    handles = loaded.handle, parent.handle
    change = Command("ObjectChangeAuth", handles, sized(b"new"), (password(b"old"),))
    changed = yield from faults(change)
    yield Step("the old one still counts", Command("Unseal", (loaded.handle,), b"", (password(b"old"),)))
    yield from flush("flush", loaded)
    parts = sized(changed.sized(0)) + sized(made.sized(1))
    renewed = yield Step("load the changed", Command("Load", (parent.handle,), parts, EMPTY))
    yield Step("the new one counts", Command("Unseal", (renewed.handle,), b"", (password(b"new"),)))
    yield Step("too long", change.but(parameters=sized(bytes(33)), handles=(renewed.handle, parent.handle)))
    stranger = yield from primary("not its parent", HMAC_KEY)
    yield Step("with another parent", change.but(handles=(renewed.handle, stranger.handle), areas=(password(b"new"),)))


def created_loaded() -> Steps:
    yield from patient()
    parent = yield from primary("parent", SRK_ECC)
    parameters = sized(sized(b"auth") + sized(b"secret")) + sized(SEALED)
    command = Command("CreateLoaded", (parent.handle,), parameters, EMPTY)
    loaded = yield from faults(command)
    yield Step("unseal", Command("Unseal", (loaded.handle,), b"", (password(b"auth"),)))
    yield from flush("flush", loaded)
    primary_form = Command("CreateLoaded", (OWNER,), sized(sized() + sized()) + sized(SRK_ECC), EMPTY)
    made = yield Step("a primary object", primary_form, length)
    yield from flush("flush the primary object", made)


def external() -> Steps:
    """TPM2_LoadExternal: public parts of others, and whole keys into the null hierarchy."""
    yield from patient()
    modulus = b"\xc1" + hashlib.shake_128(b"modulus").digest(254) + b"\x01"
    rsa_public = public(
        RSA, USER_WITH_AUTH | SIGN | NO_DA, NO_SYMMETRIC + NO_SCHEME + u16(2048) + u32(0), sized(modulus)
    )
    key = Command("LoadExternal", (), sized() + sized(rsa_public) + u32(OWNER))
    loaded = yield from faults(key, Spoilt(every_byte=False))
    yield Step("its public part", Command("ReadPublic", (loaded.handle,)), lambda response: response)
    yield from flush("flush", loaded)
    for hierarchy in (OWNER, ENDORSEMENT, PLATFORM, NULL, 0, 0x40000008, 0x80000000):
        made = yield Step(f"in {hierarchy:#x}", key.but(parameters=sized() + sized(rsa_public) + u32(hierarchy)))
        yield from flush(f"flush of {hierarchy:#x}", made)
    hmac, seed = b"0123456789abcdef", b"s" * 32
    unique = hashlib.sha256(seed + hmac).digest()
    template = keyed_hash(USER_WITH_AUTH | SIGN | NO_DA, scheme=u16(5) + u16(SHA256), unique=unique)
    private = sized(u16(8) + sized(b"auth") + sized(seed) + sized(hmac))
    whole = Command("LoadExternal", (), private + sized(template) + u32(NULL))
    yield from faults(whole, Spoilt("LoadExternal whole"))
    yield Step("whole into the owner's", whole.but(parameters=private + sized(template) + u32(OWNER)))
    fixed = keyed_hash(FIXED | USER_WITH_AUTH | SIGN, scheme=u16(5) + u16(SHA256), unique=unique)
    yield Step("whole and fixed", whole.but(parameters=private + sized(fixed) + u32(NULL)))


def keeping() -> Steps:
    """TPM2_EvictControl: persistent objects over restarts, and the owner's and the platform's ranges."""
    yield from patient()
    made = yield from primary("key", SRK_ECC)
    keep = Command("EvictControl", (OWNER, made.handle), u32(PERSISTENT), EMPTY)
    yield from faults(keep, Spoilt(undo=REMOVED, without=("handle 1 is platform",)))
    yield Step("again", keep)
    yield Step("its public part", Command("ReadPublic", (PERSISTENT,)))
    for handle in (0x80000005, 0x81000000, 0x81800000, 0x81FFFFFF, 0x82000000, 0x7FFFFFFF):
        for by in (OWNER, PLATFORM):
            label = f"to {handle:#x} by {by:#x}"
            yield Step(label, keep.but(handles=(by, made.handle), parameters=u32(handle)))
            yield Step(f"{label}, removed", Command("EvictControl", (by, handle), u32(handle), EMPTY))
    endorsement = yield from primary("an endorsement key", SRK_ECC, hierarchy=ENDORSEMENT)
    null = yield from primary("a key of nobody", SRK_ECC, hierarchy=NULL)
    yield Step("keep an endorsement key", keep.but(handles=(OWNER, endorsement.handle), parameters=u32(0x81010001)))
    yield Step("keep a key of nobody", keep.but(handles=(OWNER, null.handle), parameters=u32(0x81010002)))
    yield Step("handles", Command("GetCapability", (), u32(1) + u32(0x81000000) + u32(10)))
    yield Step("power", POWER_CYCLE)
    yield STARTUP.but("second startup")
    yield Step("still there", Command("ReadPublic", (PERSISTENT,)))
    yield Step("may be a parent", Command("Create", (PERSISTENT,), to_create(SEALED, data=b"x"), EMPTY))
    yield Step("is not flushed", Command("FlushContext", (), u32(PERSISTENT)))
    yield Step("removed under another handle", Command("EvictControl", (OWNER, PERSISTENT), u32(0x81000002), EMPTY))
    yield Step("removed", REMOVED)
    yield Step("removed twice", REMOVED)
    yield Step("properties", Command("GetCapability", (), u32(6) + u32(0x208) + u32(2)))


def clearing() -> Steps:
    """What TPM2_Clear leaves: nothing of owner and endorsement."""
    yield from patient()
    made = yield from primary("key", SRK_ECC)
    yield Step("keep", Command("EvictControl", (OWNER, made.handle), u32(PERSISTENT), EMPTY))
    yield from primary("a platform key", SRK_ECC, hierarchy=PLATFORM)
    yield Step("clear", Command("Clear", (PLATFORM,), b"", EMPTY))
    for group in (0x80000000, 0x81000000):
        yield Step(f"handles of {group:#x}", Command("GetCapability", (), u32(1) + u32(group) + u32(10)))
    yield Step("temporary data", Command("CreatePrimary", (OWNER,), to_create(keyed_hash(OWN | NO_DA)), EMPTY))
