# SPDX-License-Identifier: Apache-2.0
"""TPM_RC: what a TPM answers, and what it means in words (Part 2, section 6.6).

A code of format one (bit 7) also tells which handle, parameter or session was at fault, by number: `describe` says so.
"""

from __future__ import annotations

import enum

_FORMAT_ONE = 0x080
_PARAMETER = 0x040
_NUMBER_SHIFT = 8
_SESSION = 0x800
_REFERENCES = 7
_LAYER_SHIFT = 16


class Rc(enum.IntEnum):
    """Response codes without the number of a handle, parameter or session."""

    SUCCESS = 0x000
    BAD_TAG = 0x01E
    INITIALIZE = 0x100
    FAILURE = 0x101
    SEQUENCE = 0x103
    PRIVATE = 0x10B
    HMAC = 0x119
    DISABLED = 0x120
    EXCLUSIVE = 0x121
    AUTH_TYPE = 0x124
    AUTH_MISSING = 0x125
    POLICY = 0x126
    PCR = 0x127
    PCR_CHANGED = 0x128
    UPGRADE = 0x12D
    TOO_MANY_CONTEXTS = 0x12E
    AUTH_UNAVAILABLE = 0x12F
    REBOOT = 0x130
    UNBALANCED = 0x131
    COMMAND_SIZE = 0x142
    COMMAND_CODE = 0x143
    AUTHSIZE = 0x144
    AUTH_CONTEXT = 0x145
    NV_RANGE = 0x146
    NV_SIZE = 0x147
    NV_LOCKED = 0x148
    NV_AUTHORIZATION = 0x149
    NV_UNINITIALIZED = 0x14A
    NV_SPACE = 0x14B
    NV_DEFINED = 0x14C
    BAD_CONTEXT = 0x150
    CPHASH = 0x151
    PARENT = 0x152
    NEEDS_TEST = 0x153
    NO_RESULT = 0x154
    SENSITIVE = 0x155
    ASYMMETRIC = 0x081
    ATTRIBUTES = 0x082
    HASH = 0x083
    VALUE = 0x084
    HIERARCHY = 0x085
    KEY_SIZE = 0x087
    MGF = 0x088
    MODE = 0x089
    TYPE = 0x08A
    HANDLE = 0x08B
    KDF = 0x08C
    RANGE = 0x08D
    AUTH_FAIL = 0x08E
    NONCE = 0x08F
    PP = 0x090
    SCHEME = 0x092
    SIZE = 0x095
    SYMMETRIC = 0x096
    TAG = 0x097
    SELECTOR = 0x098
    INSUFFICIENT = 0x09A
    SIGNATURE = 0x09B
    KEY = 0x09C
    POLICY_FAIL = 0x09D
    INTEGRITY = 0x09F
    TICKET = 0x0A0
    RESERVED_BITS = 0x0A1
    BAD_AUTH = 0x0A2
    EXPIRED = 0x0A3
    POLICY_CC = 0x0A4
    BINDING = 0x0A5
    CURVE = 0x0A6
    ECC_POINT = 0x0A7
    CONTEXT_GAP = 0x901
    OBJECT_MEMORY = 0x902
    SESSION_MEMORY = 0x903
    MEMORY = 0x904
    SESSION_HANDLES = 0x905
    OBJECT_HANDLES = 0x906
    LOCALITY = 0x907
    YIELDED = 0x908
    CANCELED = 0x909
    TESTING = 0x90A
    REFERENCE_H0 = 0x910
    REFERENCE_S0 = 0x918
    NV_RATE = 0x920
    LOCKOUT = 0x921
    RETRY = 0x922
    NV_UNAVAILABLE = 0x923


MEANINGS = {
    Rc.SUCCESS: "done",
    Rc.BAD_TAG: "the tag is that of a TPM 1.2 command, or of none",
    Rc.INITIALIZE: "the TPM was not started, or is started already",
    Rc.FAILURE: "the TPM failed and answers no more",
    Rc.SEQUENCE: "a sequence is used improperly",
    Rc.PRIVATE: "the private part does not belong here",
    Rc.HMAC: "an HMAC is not valid",
    Rc.DISABLED: "the command is disabled",
    Rc.EXCLUSIVE: "the audit session is no longer exclusive",
    Rc.AUTH_TYPE: "an authorization handle is not correct for the command",
    Rc.AUTH_MISSING: "the command needs an authorization session for a handle, and has none",
    Rc.POLICY: "the policy is in the way of a parameter of its own",
    Rc.PCR: "the PCR check failed",
    Rc.PCR_CHANGED: "a PCR changed since the policy looked at it",
    Rc.UPGRADE: "the TPM is in field upgrade mode",
    Rc.TOO_MANY_CONTEXTS: "no more contexts can be saved",
    Rc.AUTH_UNAVAILABLE: "the entity does not admit this kind of authorization",
    Rc.REBOOT: "the TPM must be restarted first",
    Rc.UNBALANCED: "the strengths of two algorithms do not match",
    Rc.COMMAND_SIZE: "the size in the header is not the number of bytes",
    Rc.COMMAND_CODE: "the TPM does not know the command",
    Rc.AUTHSIZE: "the size of the authorization area is not its number of bytes",
    Rc.AUTH_CONTEXT: "the command takes no sessions",
    Rc.NV_RANGE: "offset and size reach beyond the NV index",
    Rc.NV_SIZE: "the size of the NV index is not allowed",
    Rc.NV_LOCKED: "the NV index is locked",
    Rc.NV_AUTHORIZATION: "the authorization does not admit this use of the NV index",
    Rc.NV_UNINITIALIZED: "the NV index was never written",
    Rc.NV_SPACE: "there is no room for another NV index",
    Rc.NV_DEFINED: "the NV index, or the persistent handle, is taken",
    Rc.BAD_CONTEXT: "the context is not one that was saved here",
    Rc.CPHASH: "the policy is bound to other parameters already",
    Rc.PARENT: "the handle is not that of a parent",
    Rc.NEEDS_TEST: "an algorithm must be tested first",
    Rc.NO_RESULT: "there is no result",
    Rc.SENSITIVE: "the sensitive part did not unmarshal",
    Rc.ASYMMETRIC: "the asymmetric algorithm is not supported",
    Rc.ATTRIBUTES: "the attributes contradict each other or the command",
    Rc.HASH: "the hash algorithm is not supported or not appropriate",
    Rc.VALUE: "the value is out of range or not for here",
    Rc.HIERARCHY: "the hierarchy is disabled or not for here",
    Rc.KEY_SIZE: "the key size is not supported",
    Rc.MGF: "the mask generation function is not supported",
    Rc.MODE: "the mode of operation is not supported",
    Rc.TYPE: "the type is not the right one",
    Rc.HANDLE: "there is nothing under the handle, or it is not for here",
    Rc.KDF: "the key derivation is not supported",
    Rc.RANGE: "the value is out of the allowed range",
    Rc.AUTH_FAIL: "the authorization is wrong; it counts towards the lockout",
    Rc.NONCE: "the nonce is too short, too long, or not the expected one",
    Rc.PP: "physical presence is required",
    Rc.SCHEME: "the scheme is not supported or not for this key",
    Rc.SIZE: "the structure has the wrong size",
    Rc.SYMMETRIC: "the symmetric algorithm is not supported",
    Rc.TAG: "the tag of the structure is wrong",
    Rc.SELECTOR: "the selector of a union is wrong",
    Rc.INSUFFICIENT: "the bytes end too early",
    Rc.SIGNATURE: "the signature is not valid",
    Rc.KEY: "the key is not for this use",
    Rc.POLICY_FAIL: "the policy is not satisfied",
    Rc.INTEGRITY: "the integrity check failed",
    Rc.TICKET: "the ticket is not valid",
    Rc.RESERVED_BITS: "a reserved bit is set",
    Rc.BAD_AUTH: "the authorization is wrong",
    Rc.EXPIRED: "the policy has expired",
    Rc.POLICY_CC: "the policy is for another command",
    Rc.BINDING: "the public and the sensitive part do not belong together",
    Rc.CURVE: "the curve is not supported",
    Rc.ECC_POINT: "the point is not on the curve",
    Rc.CONTEXT_GAP: "the oldest saved session must be loaded first",
    Rc.OBJECT_MEMORY: "there is no room for another object; flush one",
    Rc.SESSION_MEMORY: "there is no room for another session; flush one",
    Rc.MEMORY: "there is no memory",
    Rc.SESSION_HANDLES: "there are no more session handles; flush one",
    Rc.OBJECT_HANDLES: "there are no more object handles",
    Rc.LOCALITY: "the command may not come from this locality",
    Rc.YIELDED: "the TPM gave way; send the command again",
    Rc.CANCELED: "the command was cancelled",
    Rc.TESTING: "the TPM is testing itself; send the command again",
    Rc.REFERENCE_H0: "there is nothing loaded under the first handle",
    Rc.REFERENCE_S0: "there is no session under the handle of the first session",
    Rc.NV_RATE: "the TPM limits how often NV memory is written; wait",
    Rc.LOCKOUT: "too many wrong authorizations; the TPM is in dictionary attack lockout",
    Rc.RETRY: "the TPM was not ready; send the command again",
    Rc.NV_UNAVAILABLE: "NV memory cannot be written now",
}
"""What each says, in words."""

AGAIN = frozenset({Rc.YIELDED, Rc.TESTING, Rc.RETRY})
"""The TPM did nothing, and will take the very same bytes later (Part 1, section 39.2, and Part 2, table 19)."""


def on_parameter(code: Rc, number: int) -> int:
    """Return the code for a fault of a parameter, counted from 1."""
    return code | _PARAMETER | number << _NUMBER_SHIFT


def on_handle(code: Rc, number: int) -> int:
    """Return the code for a fault of a handle, counted from 1."""
    return code | number << _NUMBER_SHIFT


def on_session(code: Rc, number: int) -> int:
    """Return the code for a fault of a session, counted from 1."""
    return code | _SESSION | number << _NUMBER_SHIFT


def base(rc: int) -> int:
    """Return a response code without its number, and without the layer that added it (TSS 2.0 Overview, section 3)."""
    rc &= (1 << _LAYER_SHIFT) - 1
    if rc & _FORMAT_ONE:
        return rc & 0x0BF
    for first in (Rc.REFERENCE_H0, Rc.REFERENCE_S0):
        if first <= rc < first + _REFERENCES:
            return first
    return rc


def culprit(rc: int) -> str:
    """Return what was at fault, as `parameter 2`; empty where the code does not tell."""
    rc &= (1 << _LAYER_SHIFT) - 1
    if rc & _FORMAT_ONE:
        number = rc >> _NUMBER_SHIFT & 0xF
        if rc & _PARAMETER:
            return f"parameter {number}" if number else ""
        kind, number = ("session", number & 7) if rc & _SESSION else ("handle", number)
        return f"{kind} {number}" if number else ""
    for first, kind in ((Rc.REFERENCE_H0, "handle"), (Rc.REFERENCE_S0, "session")):
        if first <= rc < first + _REFERENCES:
            return f"{kind} {rc - first + 1}"
    return ""


def describe(rc: int) -> str:
    """Return a response code in words: `TPM_RC_VALUE (0x2c4) for parameter 2: the value is ...`."""
    bare = base(rc)
    known = Rc(bare) if bare in MEANINGS else None
    name = f"TPM_RC_{known.name} ({rc:#x})" if known is not None else f"response code {rc:#x}"
    at_fault = culprit(rc)
    where = f" for {at_fault}" if at_fault else ""
    return f"{name}{where}: {MEANINGS[known] if known is not None else 'not one of the TPM 2.0 library'}"
