# SPDX-License-Identifier: Apache-2.0
"""Taking objects and sessions out for a while, as a resource manager does (Part 3, sections 28.2 and 28.3)."""

from __future__ import annotations

from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import HandleType, Rh
from strongroom.formats.tpm.public_area import parse_public_area
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, sized, u8, u64
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.objects import transient
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import Parameter, Reply, Trait, command, kinds
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.context_blob import (
    OBJECT,
    OBJECT_UNTIL_RESTART,
    SEQUENCE,
    Context,
    close,
    open_context,
    read_context,
)
from strongroom.twin.nitrotpm.state.objects import Loaded, Sequence, TpmObject, read_sensitive
from strongroom.twin.nitrotpm.state.records import encode_record, read_record
from strongroom.twin.nitrotpm.state.sessions import Session

MOST_SAVED_SEQUENCES = 64
_CONTEXT = 1
_HAS_CONTEXT = kinds(HandleType.HMAC_SESSION, HandleType.POLICY_SESSION, HandleType.TRANSIENT)
_IS_EXTERNAL, _UNTIL_RESTART = 1, 2


@command(Cc.CONTEXT_SAVE, handles=(_HAS_CONTEXT,), traits=Trait.NO_SESSIONS)
def context_save(chip: Chip, call: Call) -> Reply:
    """Return what is under a handle, for later. A session is no longer loaded then, an object still is."""
    found, handle = call.found[0], call.handles[0]
    if isinstance(found, Session):
        context = close(chip, handle, Rh.NULL, encode_record(found))
        chip.volatile.reset.saved_sessions[handle] = context.sequence
        del chip.volatile.sessions[handle]
    elif isinstance(found, Sequence):
        context = _closed_sequence(chip, found)
    else:
        saved = call.object(1)
        kind = OBJECT_UNTIL_RESTART if saved.until_restart else OBJECT
        context = close(chip, kind, saved.hierarchy, _encode(saved))
    chip.void_shutdown()
    return Reply(context.encode())


@command(Cc.CONTEXT_LOAD, Parameter(read_context), traits=Trait.NO_SESSIONS | Trait.RETURNS_HANDLE)
def context_load(chip: Chip, _call: Call, context: Context) -> Reply:
    """Take back what was saved: an object any number of times, a session once."""
    content = open_context(chip, context)
    if context.handle in {OBJECT, OBJECT_UNTIL_RESTART, SEQUENCE}:
        if not chip.hierarchies[context.hierarchy].enabled:
            raise refusal.parameter(Rc.HIERARCHY, _CONTEXT)
        loaded = _opened_sequence(chip, content) if context.handle == SEQUENCE else _decode(content, context)
        return Reply(handle=transient.add(chip, loaded))
    _load_session(chip, context, content)
    return Reply(handle=context.handle)


def _load_session(chip: Chip, context: Context, content: bytes) -> None:
    saved = chip.volatile.reset.saved_sessions
    # The one that was saved last, and not loaded since: an older one has older nonces, which were used already.
    if saved.get(context.handle) != context.sequence:
        raise refusal.parameter(Rc.HANDLE, _CONTEXT)
    if len(chip.volatile.sessions) >= chip.profile.loaded_sessions:
        raise Refused(Rc.SESSION_MEMORY)
    del saved[context.handle]
    chip.volatile.sessions[context.handle] = read_record(Reader(content), Session)
    chip.void_shutdown()


def _encode(saved: TpmObject) -> bytes:
    flags = (_IS_EXTERNAL if saved.is_external else 0) | (_UNTIL_RESTART if saved.until_restart else 0)
    secret = saved.sensitive.encode() if saved.sensitive is not None else b""
    return u8(flags) + sized(saved.public.encode()) + sized(saved.name) + sized(saved.qualified_name) + sized(secret)


def _decode(content: bytes, context: Context) -> Loaded:
    reader = Reader(content)
    flags, public = reader.u8("flags"), parse_public_area(reader.sized("a public area"))
    name, qualified_name = reader.sized("a name"), reader.sized("a qualified name")
    secret = reader.sized("a sensitive area")
    return TpmObject(
        public,
        read_sensitive(Reader(secret)) if secret else None,
        context.hierarchy,
        qualified_name,
        name,
        is_external=bool(flags & _IS_EXTERNAL),
        until_restart=bool(flags & _UNTIL_RESTART),
    )


def _closed_sequence(chip: Chip, found: Sequence) -> Context:
    """Keep a copy here, and return its number as a context: the state of Python's hashes cannot leave the process.

    So there is an end to how many are kept: whoever saves many more loses the oldest.
    """
    kept = chip.volatile.saved_sequences
    number = chip.volatile.reset.context_sequence + 1
    context = close(chip, SEQUENCE, Rh.NULL, u64(number))
    kept[number] = found.copy()
    while len(kept) > MOST_SAVED_SEQUENCES:
        del kept[next(iter(kept))]
    return context


def _opened_sequence(chip: Chip, content: bytes) -> Sequence:
    kept = chip.volatile.saved_sequences.get(Reader(content).u64("the number of a sequence"))
    if kept is None:
        raise refusal.parameter(Rc.INTEGRITY, _CONTEXT)
    return kept.copy()
