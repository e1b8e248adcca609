# SPDX-License-Identifier: Apache-2.0
"""NV indices that are locked or cleared: what a restart undoes."""

from tests.conformance.tpm_differential import POWER_CYCLE, Step, Steps
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.nv_commands import (
    CLEAR_STCLEAR,
    GLOBAL_LOCK,
    INDEX,
    ORDERLY,
    PLAIN,
    READ_STCLEAR,
    WRITE_DEFINE,
    WRITE_STCLEAR,
    define,
    public_of,
    read,
    undefine,
    write,
)
from tests.conformance.tpm_stories.steps import patient
from tests.tpm_commands import (
    EMPTY,
    OWNER,
    Command,
    u16,
)


def write_locks() -> Steps:
    """Locked until TPM2_Startup(CLEAR), or for good."""
    yield from patient()
    for name, attribute in (("none", 0), ("until restart", WRITE_STCLEAR), ("for good", WRITE_DEFINE)):
        yield Step(f"{name}: define", define(PLAIN | attribute, 8))
        yield Step(f"{name}: lock too early", Command("NV_WriteLock", (OWNER, INDEX), b"", EMPTY))
        yield Step(f"{name}: too early?", write(b"early"))
        lock = Command("NV_WriteLock", (OWNER, INDEX), b"", EMPTY)
        if attribute:
            yield from faults(lock, Spoilt(f"NV_WriteLock {name}"))
        yield Step(f"{name}: locked?", write(b"locked"))
        yield Step(f"{name}: public", public_of())
        yield Step(f"{name}: lock again", lock)
        yield from _over_restarts(name, write(b"later"))
        yield Step(f"{name}: undefine", undefine())


def read_locks() -> Steps:
    yield from patient()
    for name, attribute in (("none", 0), ("until restart", READ_STCLEAR)):
        yield Step(f"{name}: define", define(PLAIN | attribute, 8))
        yield Step(f"{name}: write", write(b"readable"))
        lock = Command("NV_ReadLock", (OWNER, INDEX), b"", EMPTY)
        if attribute:
            yield from faults(lock, Spoilt("NV_ReadLock"))
        yield Step(f"{name}: lock", lock)
        yield Step(f"{name}: locked?", read(8))
        yield Step(f"{name}: may be written", write(b"still"))
        yield from _over_restarts(name, read(8))
        yield Step(f"{name}: undefine", undefine())


def _over_restarts(name: str, tried: Command) -> Steps:
    for kind, shutdown, startup in (("resume", 1, 1), ("restart", 1, 0), ("reset", 0, 0)):
        yield Step(f"{name}, {kind}: shutdown", Command("Shutdown", (), u16(shutdown)))
        yield Step(f"{name}, {kind}: power", POWER_CYCLE)
        yield Step(f"{name}, {kind}: startup", Command("Startup", (), u16(startup)))
        yield Step(f"{name}, {kind}: tried", tried)
        yield Step(f"{name}, {kind}: public", public_of())


def global_lock() -> Steps:
    yield from patient()
    yield Step("define with", define(PLAIN | GLOBAL_LOCK, 8))
    yield Step("define without", define(PLAIN, 8, index=INDEX + 1))
    yield Step("write with", write(b"with"))
    lock = Command("NV_GlobalWriteLock", (OWNER,), b"", EMPTY)
    yield from faults(lock)
    for index in (INDEX, INDEX + 1):
        yield Step(f"write {index:#x}", write(b"late", index=index))
        yield Step(f"public {index:#x}", public_of(index))
    yield Step("both locks", define(PLAIN | GLOBAL_LOCK | WRITE_DEFINE, 8, index=INDEX + 2))


def cleared_on_startup() -> Steps:
    """CLEAR_STCLEAR and ORDERLY: what restarts do to what was written."""
    yield from patient()
    for name, attribute in (("cleared", CLEAR_STCLEAR), ("orderly", ORDERLY), ("both", CLEAR_STCLEAR | ORDERLY)):
        yield Step(f"{name}: define", define(PLAIN | attribute, 8))
        for kind, shutdown, startup in (("resume", 1, 1), ("restart", 1, 0), ("reset", 0, 0), ("sudden", None, 0)):
            yield Step(f"{name}, {kind}: write", write(kind.encode()))
            if shutdown is not None:
                yield Step(f"{name}, {kind}: shutdown", Command("Shutdown", (), u16(shutdown)))
            yield Step(f"{name}, {kind}: power", POWER_CYCLE)
            yield Step(f"{name}, {kind}: startup", Command("Startup", (), u16(startup)))
            yield Step(f"{name}, {kind}: read", read(8))
            yield Step(f"{name}, {kind}: public", public_of())
        yield Step(f"{name}: undefine", undefine())
