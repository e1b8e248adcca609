# SPDX-License-Identifier: Apache-2.0
"""NV indices that count, collect bits or are extended."""

from tests.conformance.tpm_differential import POWER_CYCLE, Step, Steps
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.nv_commands import (
    BITS,
    COUNTER,
    EXTEND,
    INDEX,
    PLAIN,
    define,
    public,
    public_of,
    read,
    undefine,
    write,
)
from tests.conformance.tpm_stories.steps import STARTUP, patient
from tests.tpm_commands import (
    EMPTY,
    OWNER,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    Command,
    sized,
    u16,
    u32,
    u64,
)


def counters() -> Steps:
    yield from patient()
    yield Step("define", define(PLAIN | COUNTER, 8))
    yield Step("too early", read(8))
    yield Step("write", write(u64(7)))
    yield from faults(Command("NV_Increment", (OWNER, INDEX), b"", EMPTY))
    yield Step("read", read(8))
    yield Step("read a part", read(4, 4))
    yield Step("public", public_of())
    for name, shutdown in (("orderly", 0), ("sudden", None)):
        if shutdown is not None:
            yield Step(f"{name}: shutdown", Command("Shutdown", (), u16(shutdown)))
        yield Step(f"{name}: power", POWER_CYCLE)
        yield STARTUP.but(f"{name}: startup")
        yield Step(f"{name}: read", read(8))
    yield Step("undefine", undefine())
    yield Step("define again", define(PLAIN | COUNTER, 8))
    yield Step("increment again", Command("NV_Increment", (OWNER, INDEX), b"", EMPTY))
    yield Step("it does not begin anew", read(8))
    yield Step("properties", Command("GetCapability", (), u32(6) + u32(0x20A) + u32(1)))


def bit_fields() -> Steps:
    yield from patient()
    yield Step("define", define(PLAIN | BITS, 8))
    yield Step("too early", read(8))
    yield from faults(Command("NV_SetBits", (OWNER, INDEX), u64(0x0102), EMPTY), Spoilt(every_byte=False))
    yield Step("more", Command("NV_SetBits", (OWNER, INDEX), u64(0x8000000000000001), EMPTY))
    yield Step("nothing", Command("NV_SetBits", (OWNER, INDEX), u64(0), EMPTY))
    yield Step("read", read(8))
    yield Step("write", write(u64(7)))


def extended() -> Steps:
    """An index that is extended like a PCR, for each hash that names it."""
    yield from patient()
    for name, size in ((SHA1, 20), (SHA256, 32), (SHA384, 48), (SHA512, 64)):
        parameters = sized() + public(PLAIN | EXTEND, size, name=name)
        yield Step(f"{name:#x}: define", Command("NV_DefineSpace", (OWNER,), parameters, EMPTY))
        yield Step(f"{name:#x}: too early", read(size))
        extend = Command("NV_Extend", (OWNER, INDEX), sized(b"an event"), EMPTY)
        yield from faults(extend, Spoilt(f"NV_Extend {name:#x}", every_byte=name == SHA256))
        yield Step(f"{name:#x}: read", read(size))
        yield Step(f"{name:#x}: write", write(bytes(size)))
        yield Step(f"{name:#x}: of another size", define(PLAIN | EXTEND, size, index=INDEX + 1))
        yield Step(f"{name:#x}: undefine", undefine())
        yield Step(f"{name:#x}: undefine the other", undefine(index=INDEX + 1))
