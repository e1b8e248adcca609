# SPDX-License-Identifier: Apache-2.0
"""TPMA_OBJECT, TPMA_NV, TPMA_SESSION: what an object, an NV index and a session may do (Part 2, sections 8, 13)."""

from __future__ import annotations

import enum


class ObjectAttributes(enum.IntFlag):
    """TPMA_OBJECT (Part 2, table 37)."""

    FIXED_TPM = 1 << 1
    ST_CLEAR = 1 << 2
    FIXED_PARENT = 1 << 4
    SENSITIVE_DATA_ORIGIN = 1 << 5
    USER_WITH_AUTH = 1 << 6
    ADMIN_WITH_POLICY = 1 << 7
    NO_DA = 1 << 10
    ENCRYPTED_DUPLICATION = 1 << 11
    RESTRICTED = 1 << 16
    DECRYPT = 1 << 17
    SIGN_ENCRYPT = 1 << 18
    X509_SIGN = 1 << 19
    """It signs certificates that the TPM completes, and nothing that it is handed."""


OBJECT_ATTRIBUTES = sum(ObjectAttributes)
"""Every bit that has a meaning; the others are reserved."""


class NvAttributes(enum.IntFlag):
    """TPMA_NV without the four bits of its type (Part 2, table 233)."""

    PP_WRITE = 1 << 0
    OWNER_WRITE = 1 << 1
    AUTH_WRITE = 1 << 2
    POLICY_WRITE = 1 << 3
    POLICY_DELETE = 1 << 10
    WRITE_LOCKED = 1 << 11
    WRITE_ALL = 1 << 12
    WRITE_DEFINE = 1 << 13
    WRITE_ST_CLEAR = 1 << 14
    GLOBAL_LOCK = 1 << 15
    PP_READ = 1 << 16
    OWNER_READ = 1 << 17
    AUTH_READ = 1 << 18
    POLICY_READ = 1 << 19
    NO_DA = 1 << 25
    ORDERLY = 1 << 26
    CLEAR_ST_CLEAR = 1 << 27
    READ_LOCKED = 1 << 28
    WRITTEN = 1 << 29
    PLATFORM_CREATE = 1 << 30
    READ_ST_CLEAR = 1 << 31


NV_TYPE_SHIFT = 4
NV_TYPE_MASK = 0xF << NV_TYPE_SHIFT
NV_ATTRIBUTES = sum(NvAttributes) | NV_TYPE_MASK
"""Every bit that has a meaning; the others are reserved."""


class NvType(enum.IntEnum):
    """TPM_NT: what an NV index holds (Part 2, table 230)."""

    ORDINARY = 0x0
    COUNTER = 0x1
    BITS = 0x2
    EXTEND = 0x4
    PIN_FAIL = 0x8
    PIN_PASS = 0x9


class SessionKind(enum.IntEnum):
    """TPM_SE (Part 2, section 6.11)."""

    HMAC = 0x00
    POLICY = 0x01
    TRIAL = 0x03


class SessionAttributes(enum.IntFlag):
    """TPMA_SESSION (Part 2, table 38)."""

    CONTINUE = 1 << 0
    AUDIT_EXCLUSIVE = 1 << 1
    AUDIT_RESET = 1 << 2
    DECRYPT = 1 << 5
    """The first parameter of the command is encrypted."""
    ENCRYPT = 1 << 6
    """The first parameter of the response is encrypted."""
    AUDIT = 1 << 7


SESSION_RESERVED = 0x18
"""Bits that must be clear."""
