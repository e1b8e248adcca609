# SPDX-License-Identifier: Apache-2.0
"""TPM 2.0 commands as bytes, right or wrong: a builder for tests that asks nobody whether a command makes sense.

The numbers are those of TPM 2.0 Part 2 (1.59): table 12 for commands, 9 for algorithms, 28 for handles.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

NO_SESSIONS, SESSIONS = 0x8001, 0x8002
OWNER, NULL, LOCKOUT, ENDORSEMENT, PLATFORM, PASSWORD = (
    0x40000001,
    0x40000007,
    0x4000000A,
    0x4000000B,
    0x4000000C,
    0x40000009,
)
RSA, SHA1, HMAC, AES, KEYEDHASH, XOR = 0x0001, 0x0004, 0x0005, 0x0006, 0x0008, 0x000A
SHA256, SHA384, SHA512, NONE, SM3 = 0x000B, 0x000C, 0x000D, 0x0010, 0x0012
RSASSA, RSAES, RSAPSS, OAEP, ECDSA, ECDH, ECC, SYMCIPHER = (
    0x0014,
    0x0015,
    0x0016,
    0x0017,
    0x0018,
    0x0019,
    0x0023,
    0x0025,
)
CFB, P256, P384 = 0x0043, 0x0003, 0x0004
DIGEST_SIZES = {SHA1: 20, SHA256: 32, SHA384: 48, SHA512: 64}
CODES = {
    "NV_UndefineSpaceSpecial": 0x11F,
    "EvictControl": 0x120,
    "HierarchyControl": 0x121,
    "NV_UndefineSpace": 0x122,
    "ChangeEPS": 0x124,
    "ChangePPS": 0x125,
    "Clear": 0x126,
    "ClearControl": 0x127,
    "ClockSet": 0x128,
    "HierarchyChangeAuth": 0x129,
    "NV_DefineSpace": 0x12A,
    "PCR_Allocate": 0x12B,
    "PCR_SetAuthPolicy": 0x12C,
    "PP_Commands": 0x12D,
    "SetPrimaryPolicy": 0x12E,
    "ClockRateAdjust": 0x130,
    "CreatePrimary": 0x131,
    "NV_GlobalWriteLock": 0x132,
    "GetCommandAuditDigest": 0x133,
    "NV_Increment": 0x134,
    "NV_SetBits": 0x135,
    "NV_Extend": 0x136,
    "NV_Write": 0x137,
    "NV_WriteLock": 0x138,
    "DictionaryAttackLockReset": 0x139,
    "DictionaryAttackParameters": 0x13A,
    "NV_ChangeAuth": 0x13B,
    "PCR_Event": 0x13C,
    "PCR_Reset": 0x13D,
    "SequenceComplete": 0x13E,
    "SetAlgorithmSet": 0x13F,
    "SetCommandCodeAuditStatus": 0x140,
    "IncrementalSelfTest": 0x142,
    "SelfTest": 0x143,
    "Startup": 0x144,
    "Shutdown": 0x145,
    "StirRandom": 0x146,
    "ActivateCredential": 0x147,
    "Certify": 0x148,
    "PolicyNV": 0x149,
    "CertifyCreation": 0x14A,
    "Duplicate": 0x14B,
    "GetTime": 0x14C,
    "GetSessionAuditDigest": 0x14D,
    "NV_Read": 0x14E,
    "NV_ReadLock": 0x14F,
    "ObjectChangeAuth": 0x150,
    "PolicySecret": 0x151,
    "Rewrap": 0x152,
    "Create": 0x153,
    "ECDH_ZGen": 0x154,
    "HMAC": 0x155,
    "Import": 0x156,
    "Load": 0x157,
    "Quote": 0x158,
    "RSA_Decrypt": 0x159,
    "HMAC_Start": 0x15B,
    "SequenceUpdate": 0x15C,
    "Sign": 0x15D,
    "Unseal": 0x15E,
    "PolicySigned": 0x160,
    "ContextLoad": 0x161,
    "ContextSave": 0x162,
    "ECDH_KeyGen": 0x163,
    "EncryptDecrypt": 0x164,
    "FlushContext": 0x165,
    "LoadExternal": 0x167,
    "MakeCredential": 0x168,
    "NV_ReadPublic": 0x169,
    "PolicyAuthorize": 0x16A,
    "PolicyAuthValue": 0x16B,
    "PolicyCommandCode": 0x16C,
    "PolicyCounterTimer": 0x16D,
    "PolicyCpHash": 0x16E,
    "PolicyLocality": 0x16F,
    "PolicyNameHash": 0x170,
    "PolicyOR": 0x171,
    "PolicyTicket": 0x172,
    "ReadPublic": 0x173,
    "RSA_Encrypt": 0x174,
    "StartAuthSession": 0x176,
    "VerifySignature": 0x177,
    "ECC_Parameters": 0x178,
    "GetCapability": 0x17A,
    "GetRandom": 0x17B,
    "GetTestResult": 0x17C,
    "Hash": 0x17D,
    "PCR_Read": 0x17E,
    "PolicyPCR": 0x17F,
    "PolicyRestart": 0x180,
    "ReadClock": 0x181,
    "PCR_Extend": 0x182,
    "PCR_SetAuthValue": 0x183,
    "NV_Certify": 0x184,
    "EventSequenceComplete": 0x185,
    "HashSequenceStart": 0x186,
    "PolicyPhysicalPresence": 0x187,
    "PolicyDuplicationSelect": 0x188,
    "PolicyGetDigest": 0x189,
    "TestParms": 0x18A,
    "Commit": 0x18B,
    "PolicyPassword": 0x18C,
    "ZGen_2Phase": 0x18D,
    "EC_Ephemeral": 0x18E,
    "PolicyNvWritten": 0x18F,
    "PolicyTemplate": 0x190,
    "CreateLoaded": 0x191,
    "PolicyAuthorizeNV": 0x192,
    "EncryptDecrypt2": 0x193,
    "AC_GetCapability": 0x194,
    "AC_Send": 0x195,
    "Policy_AC_SendSelect": 0x196,
    "CertifyX509": 0x197,
}


def u8(value: int) -> bytes:
    return struct.pack(">B", value)


def u16(value: int) -> bytes:
    return struct.pack(">H", value)


def u32(value: int) -> bytes:
    return struct.pack(">I", value)


def u64(value: int) -> bytes:
    return struct.pack(">Q", value)


def sized(content: bytes = b"") -> bytes:
    """A TPM2B."""
    return u16(len(content)) + content


def spoilt(content: bytes, position: int = -1) -> bytes:
    """Turn one bit of a byte; of nothing there is none to turn."""
    changed = bytearray(content)
    if changed:
        changed[position] ^= 1
    return bytes(changed)


def area(handle: int, *, attributes: int = 1, nonce: bytes = b"", proof: bytes = b"") -> bytes:
    """One session of an authorisation area (TPMS_AUTH_COMMAND); 1 is continueSession."""
    return u32(handle) + sized(nonce) + u8(attributes) + sized(proof)


def password(value: bytes = b"", attributes: int = 1) -> bytes:
    return area(PASSWORD, attributes=attributes, proof=value)


EMPTY = (password(),)
"""One empty password, which is what a fresh TPM wants everywhere."""


def selection(*banks: tuple[int, Iterable[int]]) -> bytes:
    """A TPML_PCR_SELECTION, three bytes a bank."""
    return u32(len(banks)) + b"".join(u16(bank) + u8(3) + _bits(pcrs) for bank, pcrs in banks)


def _bits(pcrs: Iterable[int]) -> bytes:
    return sum(1 << pcr for pcr in pcrs).to_bytes(3, "little")


def digests(*values: tuple[int, bytes]) -> bytes:
    """A TPML_DIGEST_VALUES."""
    return u32(len(values)) + b"".join(u16(bank) + value for bank, value in values)


@dataclass(frozen=True)
class Command:
    """A command with room for faults: what it is made of, and its bytes."""

    name: str
    handles: tuple[int, ...] = ()
    parameters: bytes = b""
    areas: tuple[bytes, ...] = ()
    locality: int = 0
    tag: int | None = None
    code: int | None = None
    size_off_by: int = 0

    @property
    def content(self) -> bytes:
        areas = b"".join(self.areas)
        body = b"".join(map(u32, self.handles)) + (u32(len(areas)) + areas if self.areas else b"") + self.parameters
        tag = self.tag if self.tag is not None else SESSIONS if self.areas else NO_SESSIONS
        code = self.code if self.code is not None else CODES[self.name]
        return u16(tag) + u32(10 + len(body) + self.size_off_by) + u32(code) + body

    @property
    def has_sessions(self) -> bool:
        """Whether anything but passwords authorises it: then there are nonces in the response."""
        return any(session[:4] != u32(PASSWORD) for session in self.areas)

    def but(self, **changes: object) -> Command:
        """Return the same with some of it changed."""
        return replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Response:
    """What came back, taken apart by hand."""

    content: bytes

    @property
    def code(self) -> int:
        return int.from_bytes(self.content[6:10], "big")

    @property
    def handle(self) -> int:
        return int.from_bytes(self.content[10:14], "big")

    @property
    def tag(self) -> int:
        return int.from_bytes(self.content[:2], "big")

    def parameters(self, handles: int = 0) -> bytes:
        """Return the parameters of a response with that many handles, without its sessions."""
        start = 10 + 4 * handles
        if self.tag == NO_SESSIONS:
            return self.content[start:]
        size = int.from_bytes(self.content[start : start + 4], "big")
        return self.content[start + 4 : start + 4 + size]

    @property
    def before_sessions(self) -> bytes:
        """Everything before the nonces and proofs, in a response without handles."""
        end = 14 + int.from_bytes(self.content[10:14], "big")
        return self.content if self.tag == NO_SESSIONS else self.content[:end]

    def sized(self, number: int = 0, handles: int = 0) -> bytes:
        """Return the content of one of the TPM2Bs that the parameters start with."""
        rest = self.parameters(handles)
        for _ in range(number):
            rest = rest[2 + int.from_bytes(rest[:2], "big") :]
        return rest[2 : 2 + int.from_bytes(rest[:2], "big")]


def send(tpm, name: str, handles: tuple[int, ...] = (), parameters: bytes = b"", areas: tuple[bytes, ...] = ()):
    """Execute a command and return its response."""
    return Response(tpm.execute(Command(name, handles, parameters, areas).content))
