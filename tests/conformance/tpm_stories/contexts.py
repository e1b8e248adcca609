# SPDX-License-Identifier: Apache-2.0
"""Contexts: saved and loaded again, as resource managers do all the time, and over restarts."""

from tests.conformance.tpm_differential import POWER_CYCLE, Step, Steps, length
from tests.conformance.tpm_faults import Spoilt, faults
from tests.conformance.tpm_stories.steps import STARTUP, flush, patient, primary, session
from tests.tpm_commands import EMPTY, NULL, OWNER, SHA256, Command, sized, spoilt, u16, u32
from tests.tpm_templates import ECDSA_SHA256, OWN, SIGN, SRK_ECC, ST_CLEAR, ecc

_BEFORE_BLOB = 10 + 18
"""Header, sequence, savedHandle, hierarchy, and the blob's size."""
RESTARTS = (("resume", 1, 1), ("restart", 1, 0), ("reset", 0, 0))


def of_an_object() -> Steps:
    yield from patient()
    key = yield from primary("key", SRK_ECC)
    saved = yield from faults(Command("ContextSave", (key.handle,)))
    load = Command("ContextLoad", (), saved.content[10:])
    yield Step("beside itself", load)
    yield from flush("flush", key)
    yield from faults(load, Spoilt(every_byte=False, cut_below=_BEFORE_BLOB))
    yield from _spoilt_bytes(load)


def _spoilt_bytes(load: Command) -> Steps:
    """Turn a bit of each byte before the blob, and of some inside it."""
    context = load.parameters
    for position in (*range(18), *range(-64, 0, 8), -1):
        made = yield Step(f"byte {position} spoilt", load.but(parameters=spoilt(context, position)))
        if made.code == 0:
            yield from flush(f"byte {position} spoilt, flushed", made)


def of_a_session() -> Steps:
    """A saved session is not loaded, keeps its handle, and its context is good once."""
    yield from patient()
    for kind, group in ((0, 0x02000000), (1, 0x03000000)):
        made = yield from session(f"{kind}: start", kind)
        save = Command("ContextSave", (made.handle,))
        saved = yield Step(f"{kind}: save", save)
        yield Step(f"{kind}: save again", save)
        for area in (0x02000000, 0x03000000):
            request = u32(1) + u32(area) + u32(9)
            yield Step(f"{kind}: handles of {area:#x}", Command("GetCapability", (), request))
        yield Step(f"{kind}: use", Command("PolicyGetDigest", (made.handle,)))
        load = Command("ContextLoad", (), saved.content[10:])
        yield Step(f"{kind}: load", load)
        yield Step(f"{kind}: load again", load)
        yield Step(f"{kind}: use again", Command("PolicyGetDigest", (made.handle,)))
        resaved = yield Step(f"{kind}: save once more", save)
        yield Step(f"{kind}: load the old one", load)
        yield Step(f"{kind}: load the new one", load.but(parameters=resaved.content[10:]))
        yield Step(f"{kind}: saved for the end", save)
        yield from flush(f"{kind}: flush what is saved", made)
        yield Step(f"{kind}: load what is flushed", load.but(parameters=resaved.content[10:]))
        yield Step(f"{kind}: properties of {group:#x}", Command("GetCapability", (), u32(6) + u32(0x202) + u32(8)))


def many_sessions() -> Steps:
    """64 sessions may be active, most of them saved."""
    yield from patient()
    contexts = []
    for number in range(67):
        made = yield from session(f"session {number}", number % 2)
        saved = yield Step(f"save {number}", Command("ContextSave", (made.handle,)))
        contexts.append((made, saved))
    yield Step("properties", Command("GetCapability", (), u32(6) + u32(0x202) + u32(8)))
    for number in (0, 1, 5, 63):
        load = Command("ContextLoad", (), contexts[number][1].content[10:])
        yield Step(f"load {number}", load)
    yield Step("properties with some loaded", Command("GetCapability", (), u32(6) + u32(0x202) + u32(8)))


def of_what_has_no_context() -> Steps:
    yield from patient()
    for handle in (0, 0x01500000, OWNER, NULL, 0x81000001, 0x80000000, 0x02000000, 0x03000001):
        yield Step(f"save {handle:#x}", Command("ContextSave", (handle,)))
        yield Step(f"flush {handle:#x}", Command("FlushContext", (), u32(handle)))
    yield from faults(_flush_good((yield from primary("key", SRK_ECC)).handle), Spoilt(every_byte=False))
    for size in (0, 18, 100):
        yield Step(f"a context of {size} zeros", Command("ContextLoad", (), bytes(size)))
    made_up = bytes(8) + u32(0x80000000) + u32(OWNER) + sized(bytes(100))
    yield Step("a context that is made up", Command("ContextLoad", (), made_up))


def _flush_good(handle: int) -> Command:
    return Command("FlushContext", (), u32(handle))


def of_a_sequence() -> Steps:
    """A hash that is under way is saved and goes on."""
    yield from patient()
    made = yield Step("start", Command("HashSequenceStart", (), sized() + u16(SHA256)))
    yield Step("update", Command("SequenceUpdate", (made.handle,), sized(b"abc"), EMPTY))
    saved = yield Step("save", Command("ContextSave", (made.handle,)))
    yield from flush("flush", made)
    again = yield Step("load", Command("ContextLoad", (), saved.content[10:]))
    yield Step("complete", Command("SequenceComplete", (again.handle,), sized(b"def") + u32(NULL), EMPTY))
    once_more = yield Step("load again", Command("ContextLoad", (), saved.content[10:]))
    yield Step("complete again", Command("SequenceComplete", (once_more.handle,), sized() + u32(NULL), EMPTY))


def over_restarts() -> Steps:
    """Which saved contexts a resume, a restart and a reset leave good."""
    for kind, shutdown, startup in RESTARTS:
        yield STARTUP.but(f"{kind}: first startup")
        contexts = []
        for name, template, hierarchy in (
            ("owner's", SRK_ECC, OWNER),
            ("nobody's", SRK_ECC, NULL),
            ("stClear", ecc(OWN | SIGN | ST_CLEAR, scheme=ECDSA_SHA256), OWNER),
        ):
            key = yield from primary(f"{kind}: {name} key", template, hierarchy=hierarchy)
            saved = yield Step(f"{kind}: save {name} key", Command("ContextSave", (key.handle,)))
            yield from flush(f"{kind}: flush {name} key", key)
            contexts.append((f"{name} key", saved))
        for name, session_kind in (("HMAC session", 0), ("policy session", 1)):
            made = yield from session(f"{kind}: {name}", session_kind)
            saved = yield Step(f"{kind}: save {name}", Command("ContextSave", (made.handle,)))
            contexts.append((name, saved))
        yield Step(f"{kind}: shutdown", Command("Shutdown", (), u16(shutdown)))
        yield Step(f"{kind}: power", POWER_CYCLE)
        yield Step(f"{kind}: startup", Command("Startup", (), u16(startup)))
        for name, saved in contexts:
            loaded = yield Step(f"{kind}: load {name}", Command("ContextLoad", (), saved.content[10:]), length)
            yield from flush(f"{kind}: flush {name} again", loaded)
        yield Step(f"{kind}: cleared", Command("Clear", (0x4000000C,), b"", EMPTY))
        for name, saved in contexts:
            yield Step(f"{kind}: load {name} after clear", Command("ContextLoad", (), saved.content[10:]), length)
        yield Step(f"{kind}: the end", POWER_CYCLE)
