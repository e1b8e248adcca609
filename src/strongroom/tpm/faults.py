# SPDX-License-Identifier: Apache-2.0
"""From a response code to an error that says which part of which command was refused, and what to do."""

from __future__ import annotations

from strongroom.errors import TpmFault
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import HIERARCHIES, Rh
from strongroom.formats.tpm.response_codes import Rc, base, culprit, describe
from strongroom.tpm.command import Command

_LOCKED = (
    "An earlier system or program on this machine gave wrong authorizations until the TPM locked. Wait until it "
    "recovers, clear the lockout (`tpm2_dictionarylockout --clear-lockout`), or start a fresh instance."
)
_NO_SPACE = (
    "NV indices that earlier systems or interrupted programs left behind fill the TPM: list them with "
    "`tpm2_getcap handles-nv-index`, and remove them with `tpm2_nvundefine`."
)
_NO_ROOM = "What other programs have loaded fills the TPM. End them, or restart the machine."
_NOT_READY = "Another program may keep the TPM busy. Try again."
_DISABLED = "An earlier system or program disabled a hierarchy. Restart the machine: a TPM reset enables it again."
_OWNED = (
    "An earlier system or program on this machine set a password on that hierarchy. Only who knows it can take it "
    "away; a fresh instance has a fresh TPM."
)
_NOT_STARTED = (
    "Firmware starts a TPM. Is this machine booted through UEFI? The twin's waits for a machine's firmware, or is "
    "started by `strongroom twin tpm --start`."
)
_NO_VENDOR_COMMAND = (
    "Either this is no NitroTPM, or Linux's resource manager (/dev/tpmrm0) is in between, which refuses AWS's command "
    "on many kernels: free /dev/tpm0 and try again."
)
_KNOWN: dict[int, tuple[str, str]] = {
    Rc.LOCKOUT: ("tpm.lockout", _LOCKED),
    Rc.NV_SPACE: ("tpm.no-space", _NO_SPACE),
    Rc.OBJECT_MEMORY: ("tpm.no-room", _NO_ROOM),
    Rc.SESSION_MEMORY: ("tpm.no-room", _NO_ROOM),
    Rc.SESSION_HANDLES: ("tpm.no-room", _NO_ROOM),
    Rc.RETRY: ("tpm.not-ready", _NOT_READY),
    Rc.YIELDED: ("tpm.not-ready", _NOT_READY),
    Rc.TESTING: ("tpm.not-ready", _NOT_READY),
    Rc.AUTH_FAIL: ("tpm.wrong-authorization", ""),
    Rc.BAD_AUTH: ("tpm.wrong-authorization", ""),
    Rc.POLICY_FAIL: ("tpm.policy", ""),
    Rc.NV_DEFINED: ("tpm.index-taken", ""),
    Rc.INITIALIZE: ("tpm.not-started", _NOT_STARTED),
    Rc.FAILURE: ("tpm.failed", "The TPM failed its self-test. Restart the machine."),
    Rc.HIERARCHY: ("tpm.hierarchy", _DISABLED),
}
_REFUSED = ("tpm.refused", "")
_WRONG_AUTH = (Rc.AUTH_FAIL, Rc.BAD_AUTH)


def refused(command: Command, rc: int) -> TpmFault:
    """Return the error for a response code other than success."""
    code, remedy = _known(command, base(rc))
    return TpmFault(
        code, f"{command.code.name} was refused{_culprit(command, rc)}: {describe(rc)}", rc=rc, remedy=remedy
    )


def nonsense(command: Command, why: str) -> TpmFault:
    """Return the error for an answer that no TPM should give."""
    return TpmFault(
        "tpm.answer",
        f"{command.code.name} was answered with what no TPM should say: {why}",
        remedy="Somebody may sit between this program and the TPM. Nothing of the answer was used.",
    )


def _known(command: Command, bare: int) -> tuple[str, str]:
    if bare in _WRONG_AUTH and any(each.handle in HIERARCHIES for each in command.handles.values()):
        return "tpm.hierarchy-auth", _OWNED
    if bare == Rc.COMMAND_CODE and command.code is Cc.AWS_NSM_REQUEST:
        return "tpm.no-vendor-command", _NO_VENDOR_COMMAND
    return _KNOWN.get(bare, _REFUSED)


def _culprit(command: Command, rc: int) -> str:
    """Return which part of the command the code points at, by its name in Part 3."""
    kind, _, number = culprit(rc).partition(" ")
    if kind == "session":
        return f" over the authorization of {_shown(command, 0)}"
    names = list(command.parameters if kind == "parameter" else command.handles)
    place = int(number or 0) - 1
    if not 0 <= place < len(names):
        return ""
    return f" over {names[place] if kind == 'parameter' else _shown(command, place)}"


def _shown(command: Command, place: int) -> str:
    named = list(command.handles.items())
    if place >= len(named):
        return "no handle"
    name, entity = named[place]
    word = Rh(entity.handle).name if entity.handle in set(Rh) else f"{entity.handle:#010x}"
    return f"{name} ({word})"
