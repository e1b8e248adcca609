# SPDX-License-Identifier: Apache-2.0
"""Making room, and keeping objects for good (Part 3, sections 28.4 and 28.5)."""

from __future__ import annotations

from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import HandleType, Rh, handle_number, handle_type
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.objects import transient
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import DONE, OBJECT, OWNER_OR_PLATFORM, Parameter, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import TpmObject
from strongroom.twin.nitrotpm.state.sessions import is_session_handle

_OBJECT = 2
_PERSISTENT_HANDLE = 1
_FIRST_OF_PLATFORM = 0x81800000
"""Persistent handles from here on are the platform's, those below the owner's (Part 2, section 7.5)."""


def _persistent(reader: Reader) -> int:
    handle = reader.u32("a persistent handle")
    if handle_type(handle) != HandleType.PERSISTENT:
        raise reader.refused(Rc.VALUE, f"expected a persistent handle, found {handle:#010x}")
    return handle


def _context(reader: Reader) -> int:
    """Take the handle of something that has a context off (TPMI_DH_CONTEXT)."""
    handle = reader.u32("a transient handle or a session")
    if not is_session_handle(handle) and handle_type(handle) != HandleType.TRANSIENT:
        raise reader.refused(Rc.VALUE, f"expected a transient handle or a session, found {handle:#010x}")
    return handle


@command(Cc.FLUSH_CONTEXT, Parameter(_context), traits=Trait.NO_SESSIONS)
def flush_context(chip: Chip, _call: Call, handle: int) -> Reply:
    """Forget a transient object, or a session: loaded or saved."""
    if handle_type(handle) == HandleType.TRANSIENT:
        if handle_number(handle) >= chip.profile.loaded_objects:
            raise refusal.parameter(Rc.VALUE, 1)
        if handle not in chip.volatile.objects:
            raise refusal.parameter(Rc.HANDLE, 1)
        transient.remove(chip, handle)
        return DONE
    # Which session it is, its number alone tells (Part 1, section 15.4).
    loaded, saved = chip.volatile.sessions, chip.volatile.reset.saved_sessions
    for table in (loaded, saved):
        for session in tuple(table):
            if handle_number(session) == handle_number(handle):
                table.pop(session)
                if table is saved:
                    chip.void_shutdown()  # what it kept would bring the session back to life
                return DONE
    raise refusal.parameter(Rc.HANDLE, 1)


@command(Cc.EVICT_CONTROL, Parameter(_persistent), handles=(OWNER_OR_PLATFORM.authorized(), OBJECT), traits=Trait.NV)
def evict_control(chip: Chip, call: Call, persistent: int) -> Reply:
    """Make a transient object persistent, or end a persistent one."""
    found, by, handle = call.found[_OBJECT - 1], call.handles[0], call.handles[_OBJECT - 1]
    if not isinstance(found, TpmObject) or found.is_temporary or found.until_restart or found.is_external:
        raise refusal.handle(Rc.ATTRIBUTES, _OBJECT)
    is_persistent = handle_type(handle) == HandleType.PERSISTENT
    if is_persistent and handle != persistent:
        raise refusal.handle(Rc.HANDLE, _OBJECT)
    _check_hierarchy(found, Rh(by), persistent, is_persistent=is_persistent)
    if is_persistent:
        del chip.permanent.objects[handle]
    else:
        _keep(chip, found, persistent)
    chip.changed = True
    return DONE


def _check_hierarchy(found: TpmObject, by: Rh, handle: int, *, is_persistent: bool) -> None:
    """Let the platform end any persistent object and keep its own, and the owner have all but the platform's."""
    is_platforms = found.hierarchy is Rh.PLATFORM
    if by is Rh.PLATFORM and is_persistent:
        return
    if is_platforms != (by is Rh.PLATFORM):
        raise refusal.handle(Rc.HIERARCHY, _OBJECT)
    if not is_persistent and (handle >= _FIRST_OF_PLATFORM) != is_platforms:
        raise refusal.parameter(Rc.RANGE, _PERSISTENT_HANDLE)


def _keep(chip: Chip, found: TpmObject, handle: int) -> None:
    kept = chip.permanent.objects
    if handle in kept:
        raise Refused(Rc.NV_DEFINED)
    if len(kept) >= chip.profile.persistent_objects:
        raise Refused(Rc.NV_SPACE)
    kept[handle] = found
