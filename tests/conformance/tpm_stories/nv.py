# SPDX-License-Identifier: Apache-2.0
"""NV indices: defined, written and read; their attributes, limits and owners."""

from tests.conformance.tpm_differential import Step, Steps
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.nv_commands import (
    AUTH_READ,
    AUTH_WRITE,
    INDEX,
    NO_DA,
    OWNER_READ,
    OWNER_WRITE,
    PLAIN,
    PLATFORM_CREATE,
    POLICY_DELETE,
    POLICY_READ,
    POLICY_WRITE,
    PP_READ,
    PP_WRITE,
    WRITE_ALL,
    define,
    public,
    public_of,
    read,
    undefine,
    write,
)
from tests.conformance.tpm_stories.steps import patient
from tests.tpm_commands import (
    EMPTY,
    OWNER,
    PLATFORM,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    Command,
    password,
    sized,
    u8,
    u32,
    u64,
)


def defining() -> Steps:
    yield from patient()
    good = define(PLAIN, 16, auth=b"auth")
    yield from faults(good, Spoilt(undo=undefine()))
    yield Step("public", public_of())
    yield from faults(public_of())
    yield Step("once more", good)
    yield from faults(undefine(), Spoilt(without=("a password of zeros", "*is platform")))
    yield Step("once more undefined", undefine())


def attributes() -> Steps:
    """Each attribute alone beside what any index needs, for both who may define one."""
    yield from patient()
    for by, name, extra in ((OWNER, "owner", 0), (PLATFORM, "platform", PLATFORM_CREATE)):
        for bit in range(32):
            tried = (PLAIN | extra) ^ (1 << bit)
            yield Step(f"{name}, bit {bit}", define(tried, 8, by=by))
            yield Step(f"{name}, bit {bit}: public", public_of())
            yield Step(f"{name}, bit {bit}: undefined", undefine(PLATFORM))
            yield Step(f"{name}, bit {bit}: undefined by the owner", undefine())
    for kind in range(16):
        for size in (0, 4, 8, 9, 20, 32):
            yield Step(f"kind {kind} of {size} bytes", define(PLAIN | kind << 4, size))
            yield Step(f"kind {kind} of {size} bytes: undefined", undefine())
    for nobody in (AUTH_WRITE, AUTH_READ, 0, PP_WRITE | PP_READ, POLICY_READ | POLICY_WRITE):
        yield Step(f"attributes {nobody:#x}", define(nobody, 8))
        yield Step(f"attributes {nobody:#x}: undefined", undefine())


def sizes_and_names() -> Steps:
    yield from patient()
    for size in (0, 1, 1024, 2047, 2048, 2049, 8192, 65535):
        yield Step(f"{size} bytes", define(PLAIN, size))
        yield Step(f"{size} bytes: undefined", undefine())
    for name in (SHA1, SHA256, SHA384, SHA512, 0x10, 0x12, 0x99, 0):
        parameters = sized() + public(PLAIN, 16, name=name)
        yield Step(f"name {name:#x}", Command("NV_DefineSpace", (OWNER,), parameters, EMPTY))
        yield Step(f"name {name:#x}: public", public_of())
        yield Step(f"name {name:#x}: undefined", undefine())
    for length in (1, 20, 31, 32, 33, 64, 65):
        parameters = sized() + public(PLAIN, 16, policy=bytes(length))
        yield Step(f"policy of {length} bytes", Command("NV_DefineSpace", (OWNER,), parameters, EMPTY))
        yield Step(f"policy of {length} bytes: undefined", undefine())
        yield Step(f"auth of {length} bytes", define(PLAIN, 16, auth=b"a" * length))
        yield Step(f"auth of {length} bytes: undefined", undefine())
    for index in (0x01000000, 0x013FFFFF, 0x01400000, 0x01800000, 0x01C00002, 0x01FFFFFF, 0x02000000, 0x80000000):
        yield Step(f"index {index:#x}", define(PLAIN, 16, index=index))
        yield Step(f"index {index:#x}: undefined", undefine(index=index))
    yield Step("auth of zeros", define(PLAIN, 16, auth=b"a\0\0"))
    yield Step("auth of zeros: written", write(b"x", by=INDEX, areas=(password(b"a"),)))


def data() -> Steps:
    """Ordinary data: pieces, edges, both ways to be allowed."""
    yield from patient()
    yield Step("define", define(PLAIN, 16, auth=b"auth"))
    yield Step("too early", read(4))
    yield Step("too early and too much", read(17))
    yield from faults(write(b"some", 2))
    yield Step("public once written", public_of())
    yield from faults(read(8, 1))
    for size, offset in ((0, 0), (16, 0), (17, 0), (0, 16), (1, 16), (0, 17), (1, 15), (2, 15), (1, 65535), (1025, 0)):
        yield Step(f"read {size} at {offset}", read(size, offset))
        yield Step(f"write {size} at {offset}", write(b"w" * size, offset))
    auth = (password(b"auth"),)
    yield Step("by the index itself", read(16, by=INDEX, areas=auth))
    yield Step("written by the index itself", write(b"mine", by=INDEX, areas=auth))
    yield Step("by the index itself, wrongly", read(16, by=INDEX))
    yield Step("by the platform", read(16, by=PLATFORM))
    yield Step("written by the platform", write(b"p", by=PLATFORM))
    yield Step("another index as authority", read(4, by=INDEX + 1))
    yield Step("a second index", define(PLAIN, 4, index=INDEX + 1))
    yield Step("the second one for the first", read(4, by=INDEX + 1))
    yield Step("a counter's command", Command("NV_Increment", (OWNER, INDEX), b"", EMPTY))
    yield Step("a bit field's command", Command("NV_SetBits", (OWNER, INDEX), u64(1), EMPTY))
    yield Step("an extended index's command", Command("NV_Extend", (OWNER, INDEX), sized(b"x"), EMPTY))


def large_data() -> Steps:
    """As much as an index and a command hold: NV_BUFFER_MAX is 1024."""
    yield from patient()
    yield Step("define", define(PLAIN, 2048))
    for offset in (0, 1024):
        yield Step(f"write at {offset}", write(bytes(range(256)) * 4, offset))
        yield Step(f"read at {offset}", read(1024, offset))
    yield Step("write too much", write(bytes(1025)))
    yield Step("read too much", read(1025))
    yield Step("write past the end", write(bytes(1024), 1025))


def write_all() -> Steps:
    yield from patient()
    yield Step("define", define(PLAIN | WRITE_ALL, 8))
    for size, offset in ((7, 0), (8, 1), (9, 0), (8, 0), (1, 0)):
        yield Step(f"write {size} at {offset}", write(bytes(size), offset))
    yield Step("read a part", read(3, 2))
    yield Step("undefine", undefine())
    yield Step("define too much to write at once", define(PLAIN | WRITE_ALL, 1025))
    yield Step("define just as much", define(PLAIN | WRITE_ALL, 1024))


def permissions() -> Steps:
    """Who may do what, for each attribute that allows it alone."""
    yield from patient()
    readers = {"owner": OWNER_READ, "platform": PP_READ, "auth": AUTH_READ, "policy": POLICY_READ}
    writers = {"owner": OWNER_WRITE, "platform": PP_WRITE, "auth": AUTH_WRITE, "policy": POLICY_WRITE}
    for reader, may_read in readers.items():
        for writer, may_write in writers.items():
            title = f"read by {reader}, written by {writer}"
            yield Step(f"{title}: define", define(may_read | may_write | NO_DA, 8))
            for by, name in ((OWNER, "owner"), (PLATFORM, "platform"), (INDEX, "index")):
                yield Step(f"{title}: {name} writes", write(b"x", by=by))
                yield Step(f"{title}: {name} reads", read(1, by=by))
                yield Step(f"{title}: {name} locks writes", Command("NV_WriteLock", (by, INDEX), b"", EMPTY))
                yield Step(f"{title}: {name} locks reads", Command("NV_ReadLock", (by, INDEX), b"", EMPTY))
            yield Step(f"{title}: undefine", undefine())


def owners() -> Steps:
    """Who may remove what; and that TPM2_Clear leaves the platform's."""
    yield from patient()
    platform = PLAIN | PLATFORM_CREATE | PP_READ | PP_WRITE
    yield Step("the platform's", define(platform, 8, by=PLATFORM))
    yield Step("not as the owner", define(platform, 8, index=INDEX + 1))
    yield Step("not as the platform", define(PLAIN, 8, by=PLATFORM, index=INDEX + 1))
    yield Step("removed by the owner", undefine())
    yield Step("the owner's", define(PLAIN, 8, index=INDEX + 1))
    yield Step("for the policy only", define(platform | POLICY_DELETE, 8, by=PLATFORM, index=INDEX + 2))
    yield Step("removed against its policy", undefine(PLATFORM, INDEX + 2))
    special = Command("NV_UndefineSpaceSpecial", (INDEX + 2, PLATFORM), b"", EMPTY * 2)
    yield Step("removed specially, without policy", special)
    yield Step("clear", Command("Clear", (PLATFORM,), b"", EMPTY))
    for index in (INDEX, INDEX + 1, INDEX + 2):
        yield Step(f"still there: {index:#x}", public_of(index))
    yield Step("disable", Command("HierarchyControl", (PLATFORM,), u32(OWNER) + u8(0), EMPTY))
    yield Step("owner disabled", define(PLAIN, 8, index=INDEX + 3))
    yield Step("the platform may", read(1, by=PLATFORM))


def changed_auth() -> Steps:
    """NV_ChangeAuth wants a policy; a password does not do."""
    yield from patient()
    yield Step("define", define(PLAIN, 8, auth=b"old"))
    yield Step("by password", Command("NV_ChangeAuth", (INDEX,), sized(b"new"), (password(b"old"),)))
    yield Step("without", Command("NV_ChangeAuth", (INDEX,), sized(b"new")))


def full() -> Steps:
    """Index after index until there is no room: how many of each size go in is what the TPM's NV memory holds."""
    yield from patient()
    for number in range(120):
        yield Step(f"define {number}", define(PLAIN, 2048, index=INDEX + number))
    yield Step("indices", Command("GetCapability", (), u32(1) + u32(0x01000000) + u32(100)))
    yield Step("properties", Command("GetCapability", (), u32(6) + u32(0x200) + u32(100)))
