# SPDX-License-Identifier: Apache-2.0
"""Shutdown(STATE): which commands after it take it back, so that the next start is not orderly."""

from tests.conformance.tpm_differential import POWER_CYCLE, Step, Steps, length
from tests.conformance.tpm_stories.nv_commands import (
    COUNTER,
    GLOBAL_LOCK,
    INDEX,
    NO_DA,
    ORDERLY,
    PLAIN,
    READ_STCLEAR,
    WRITE_STCLEAR,
    define,
    read,
    undefine,
    write,
)
from tests.conformance.tpm_stories.steps import started
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    LOCKOUT,
    NULL,
    OWNER,
    PLATFORM,
    SHA256,
    Command,
    digests,
    password,
    selection,
    sized,
    u8,
    u16,
    u32,
)

_ONE = digests((SHA256, bytes(32)))
_AUTH = (password(b"auth"),)
AFTERWARDS = {
    "nothing": None,
    "random": Command("GetRandom", (), u16(8)),
    "PCR read": Command("PCR_Read", (), selection((SHA256, [0]))),
    **{f"PCR {index} extended": Command("PCR_Extend", (index,), _ONE, EMPTY) for index in (0, 15, 16, 23, NULL)},
    "PCR extended by nothing": Command("PCR_Extend", (0,), digests(), EMPTY),
    "PCR extension refused": Command("PCR_Extend", (0,), b"", EMPTY),
    "event": Command("PCR_Event", (0,), sized(b"x"), EMPTY),
    "PCR reset": Command("PCR_Reset", (23,), b"", EMPTY),
    "hash": Command("Hash", (), sized(b"abc") + u16(SHA256) + u32(NULL)),
    **{
        f"auth of {who:#x}": Command("HierarchyChangeAuth", (who,), sized(), EMPTY)
        for who in (OWNER, ENDORSEMENT, LOCKOUT, PLATFORM)
    },
    **{
        f"policy of {who:#x}": Command("SetPrimaryPolicy", (who,), sized(bytes(32)) + u16(SHA256), EMPTY)
        for who in (OWNER, ENDORSEMENT, LOCKOUT, PLATFORM)
    },
    "owner off": Command("HierarchyControl", (PLATFORM,), u32(OWNER) + u8(0), EMPTY),
    "owner on": Command("HierarchyControl", (PLATFORM,), u32(OWNER) + u8(1), EMPTY),
    "platform NV off": Command("HierarchyControl", (PLATFORM,), u32(0x4000000D) + u8(0), EMPTY),
    "clear": Command("Clear", (PLATFORM,), b"", EMPTY),
    "clear control": Command("ClearControl", (PLATFORM,), u8(0), EMPTY),
    "other endorsement seed": Command("ChangeEPS", (PLATFORM,), b"", EMPTY),
    "other platform seed": Command("ChangePPS", (PLATFORM,), b"", EMPTY),
    "lock reset": Command("DictionaryAttackLockReset", (LOCKOUT,), b"", EMPTY),
    "lockout parameters": Command("DictionaryAttackParameters", (LOCKOUT,), u32(5) * 3, EMPTY),
    "clock rate": Command("ClockRateAdjust", (OWNER,), u8(1), EMPTY),
    "defined": define(PLAIN, 8, index=INDEX + 5),
    "defined orderly": define(PLAIN | ORDERLY, 8, index=INDEX + 5),
    "undefined": undefine(),
    "undefined orderly": undefine(index=INDEX + 1),
    "written": write(b"y"),
    "written orderly": write(b"y", index=INDEX + 1),
    "read": read(1),
    "counted": Command("NV_Increment", (OWNER, INDEX + 2), b"", EMPTY),
    "counted orderly": Command("NV_Increment", (OWNER, INDEX + 3), b"", EMPTY),
    "write lock": Command("NV_WriteLock", (OWNER, INDEX), b"", EMPTY),
    "write lock orderly": Command("NV_WriteLock", (OWNER, INDEX + 1), b"", EMPTY),
    "read lock": Command("NV_ReadLock", (OWNER, INDEX), b"", EMPTY),
    "read lock orderly": Command("NV_ReadLock", (OWNER, INDEX + 1), b"", EMPTY),
    "global lock": Command("NV_GlobalWriteLock", (OWNER,), b"", EMPTY),
    "wrong guess": write(b"x", by=INDEX + 4, index=INDEX + 4, areas=(password(b"wrong"),)),
    "right guess": write(b"x", by=INDEX + 4, index=INDEX + 4, areas=_AUTH),
    "a session": Command("StartAuthSession", (NULL, NULL), sized(bytes(16)) + sized() + u8(0) + u16(16) + u16(SHA256)),
}


def what_takes_it_back() -> Steps:
    yield from started()
    locks = WRITE_STCLEAR | READ_STCLEAR
    for name, command in AFTERWARDS.items():
        yield Step(f"{name}: clear", Command("Clear", (PLATFORM,), b"", EMPTY))
        for number, defined in enumerate(
            (
                define(PLAIN | locks, 8),
                define(PLAIN | ORDERLY | locks | GLOBAL_LOCK, 8, index=INDEX + 1),
                define(PLAIN | COUNTER, 8, index=INDEX + 2),
                define(PLAIN | COUNTER | ORDERLY, 8, index=INDEX + 3),
                define(PLAIN & ~NO_DA, 8, auth=b"auth", index=INDEX + 4),
                write(b"x"),
                write(b"x", index=INDEX + 1),
                Command("NV_Increment", (OWNER, INDEX + 2), b"", EMPTY),
                Command("NV_Increment", (OWNER, INDEX + 3), b"", EMPTY),
            )
        ):
            yield Step(f"{name}: prepared {number}", defined)
        yield Step(f"{name}: shutdown", Command("Shutdown", (), u16(1)))
        if command:
            yield Step(name, command, length)
        yield Step(f"{name}: power", POWER_CYCLE)
        yield Step(f"{name}: resume", Command("Startup", (), u16(1)))
        yield Step(f"{name}: in any case", Command("Startup", (), u16(0)))
        yield Step(f"{name}: orderly?", Command("GetCapability", (), u32(6) + u32(0x201) + u32(1)))
        yield Step(f"{name}: orderly data", read(8, index=INDEX + 1))
        yield Step(f"{name}: orderly counter", read(8, index=INDEX + 3))
        yield Step(f"{name}: counted on", Command("NV_Increment", (OWNER, INDEX + 3), b"", EMPTY))
        yield Step(f"{name}: orderly counter counted on", read(8, index=INDEX + 3))


def twice() -> Steps:
    """A state is good for one start, and a later shutdown is the one that counts."""
    yield from started()
    for number, kinds in enumerate(((1, 0), (0, 1), (1, 1))):
        for position, kind in enumerate(kinds):
            yield Step(f"{number}: shutdown {position} of kind {kind}", Command("Shutdown", (), u16(kind)))
        for again in ("once", "again"):
            yield Step(f"{number}: power {again}", POWER_CYCLE)
            yield Step(f"{number}: resume {again}", Command("Startup", (), u16(1)))
            yield Step(f"{number}: in any case {again}", Command("Startup", (), u16(0)))
            yield Step(f"{number}: clock {again}", Command("ReadClock"), lambda response: response[26:])
