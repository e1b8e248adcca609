# SPDX-License-Identifier: Apache-2.0
"""An emulated NitroTPM that has something of everything, and what must hold whatever bytes it is sent."""

from tests.conformance.tpm_stories.nv_commands import BITS, COUNTER, EXTEND, INDEX, NO_DA, ORDERLY, PLAIN, define, write
from tests.tpm_commands import (
    EMPTY,
    HMAC,
    NONE,
    NULL,
    OWNER,
    PLATFORM,
    SHA256,
    digests,
    selection,
    send,
    sized,
    u8,
    u16,
    u32,
    u64,
)
from tests.tpm_templates import FIXED, SIGN, SRK_ECC, USER_WITH_AUTH, keyed_hash, to_create

from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.frame import HEADER_BYTES, MAX_FRAME_BYTES, CommandAuthorization, Tag, encode_command
from strongroom.formats.tpm.handles import Rh
from strongroom.twin.nitrotpm.registry import COMMANDS
from strongroom.twin.nitrotpm.state.objects import Sequence
from strongroom.twin.nitrotpm.state.values import to_json
from strongroom.twin.nitrotpm.tpm import NitroTpm

LONGEST = MAX_FRAME_BYTES + 1
COUNTED = {"lockout", "guesses_taken", "shutdown_ms", "orderly", "clock_ms"}
"""What a refused command may change: a wrong guess counts, and takes a shutdown back."""
_HASHING, _KEY, _EVENTS, _SESSION, _POLICY = 0x80000000, 0x80000001, 0x80000002, 0x02000000, 0x03000001
_HANDLES = (INDEX, 0, OWNER, PLATFORM, _KEY, _POLICY, 0x4000000A, 0x4000000B, NULL)
"""Of each command's handles, the first of these that is allowed there."""
_PASSWORD = CommandAuthorization(Rh.PASSWORD, b"", 1, b"")
_TEMPLATE = to_create(SRK_ECC)
_GOOD = {
    Cc.STARTUP: u16(0),
    Cc.SHUTDOWN: u16(1),
    Cc.SELF_TEST: u8(1),
    Cc.GET_RANDOM: u16(8),
    Cc.STIR_RANDOM: sized(b"salt"),
    Cc.PCR_READ: selection((SHA256, [0, 16])),
    Cc.PCR_EXTEND: digests((SHA256, bytes(32))),
    Cc.PCR_EVENT: sized(b"event"),
    Cc.PCR_ALLOCATE: selection((SHA256, range(24))),
    Cc.GET_CAPABILITY: u32(6) + u32(0x100) + u32(100),
    Cc.TEST_PARMS: u16(0x08) + u16(NONE),
    Cc.ECC_PARAMETERS: u16(3),
    Cc.HASH: sized(b"data") + u16(SHA256) + u32(OWNER),
    Cc.HMAC: sized(b"data") + u16(NONE),
    Cc.HMAC_START: sized() + u16(NONE),
    Cc.HASH_SEQUENCE_START: sized() + u16(SHA256),
    Cc.SEQUENCE_UPDATE: sized(b"data"),
    Cc.SEQUENCE_COMPLETE: sized(b"data") + u32(OWNER),
    Cc.EVENT_SEQUENCE_COMPLETE: sized(b"data"),
    Cc.HIERARCHY_CHANGE_AUTH: sized(b"auth"),
    Cc.SET_PRIMARY_POLICY: sized(bytes(32)) + u16(SHA256),
    Cc.HIERARCHY_CONTROL: u32(OWNER) + u8(0),
    Cc.CLEAR_CONTROL: u8(1),
    Cc.CLOCK_SET: u64(1 << 40),
    Cc.CLOCK_RATE_ADJUST: u8(1),
    Cc.DICTIONARY_ATTACK_PARAMETERS: u32(3) * 3,
    Cc.NV_DEFINE_SPACE: define(PLAIN, 8, index=INDEX + 9).parameters,
    Cc.NV_WRITE: sized(b"data") + u16(0),
    Cc.NV_READ: u16(4) + u16(0),
    Cc.NV_EXTEND: sized(b"data"),
    Cc.NV_SET_BITS: u64(1),
    Cc.NV_CHANGE_AUTH: sized(b"auth"),
    Cc.CREATE_PRIMARY: _TEMPLATE,
    Cc.CREATE: _TEMPLATE,
    Cc.FLUSH_CONTEXT: u32(_SESSION),
    Cc.START_AUTH_SESSION: sized(bytes(16)) + sized() + u8(0) + u16(NONE) + u16(SHA256),
    Cc.POLICY_COMMAND_CODE: u32(Cc.NV_WRITE),
    Cc.POLICY_LOCALITY: u8(1),
    Cc.POLICY_PCR: sized() + selection((SHA256, [0])),
    Cc.POLICY_OR: u32(2) + sized(bytes(32)) * 2,
    Cc.QUOTE: sized() + u16(NONE) + selection((SHA256, [0])),
    Cc.SIGN: sized(bytes(32)) + u16(NONE) + u16(0x8024) + u32(NULL) + sized(),
}
"""Parameters that are well formed; of other commands some zeros."""
_OTHERS = {
    Cc.EVENT_SEQUENCE_COMPLETE: (0, _EVENTS),
    Cc.NV_EXTEND: (OWNER, INDEX + 5),
    Cc.NV_INCREMENT: (OWNER, INDEX + 1),
    Cc.NV_SET_BITS: (OWNER, INDEX + 2),
    Cc.PCR_RESET: (16,),
    Cc.SEQUENCE_COMPLETE: (_HASHING,),
    Cc.SEQUENCE_UPDATE: (_HASHING,),
    Cc.START_AUTH_SESSION: (NULL, NULL),
}


def prepared() -> NitroTpm:
    """Return a TPM with NV indices of every kind, a key, sequences and sessions, under the handles named above."""
    tpm = NitroTpm()
    send(tpm, "Startup", (), u16(0))
    kinds = (PLAIN, PLAIN | COUNTER, PLAIN | BITS, PLAIN & ~NO_DA, PLAIN | ORDERLY)
    commands = [define(kind, 8, index=INDEX + number) for number, kind in enumerate(kinds)]
    for command in (*commands, define(PLAIN | EXTEND, 32, index=INDEX + 5), write(b"data")):
        assert tpm.execute(command.content)[6:10] == bytes(4)
    key = to_create(keyed_hash(FIXED | USER_WITH_AUTH | SIGN, scheme=u16(HMAC) + u16(SHA256)), data=b"key")
    for name, handles, parameters, areas, handle in (
        ("HashSequenceStart", (), sized() + u16(SHA256), (), _HASHING),
        ("CreatePrimary", (OWNER,), key, EMPTY, _KEY),
        ("HashSequenceStart", (), sized() + u16(NONE), (), _EVENTS),
        ("StartAuthSession", (NULL, NULL), sized(bytes(16)) + sized() + u8(0) + u16(NONE) + u16(SHA256), (), _SESSION),
        ("StartAuthSession", (NULL, NULL), sized(bytes(16)) + sized() + u8(1) + u16(NONE) + u16(SHA256), (), _POLICY),
    ):
        assert send(tpm, name, handles, parameters, areas).handle == handle
    return tpm


def commands_of_every_kind() -> list[bytes]:
    """Return one command for each that the TPM knows, most of them good ones for `prepared`."""
    return [_command(code) for code in sorted(COMMANDS)]


def _command(code: int) -> bytes:
    spec = COMMANDS[code]
    first = tuple(next(handle for handle in _HANDLES if each.allows(handle)) for each in spec.handles)
    handles = _OTHERS.get(spec.code, first)
    parameters = _GOOD.get(spec.code, bytes(24) if spec.parameters else b"")
    return encode_command(code, handles, (_PASSWORD,) * spec.authorized_handles, parameters)


def answered(tpm: NitroTpm, command: bytes) -> int:
    """Send a command, and assert what must hold of its response and of what it leaves behind. Returns the code."""
    before = _remembered(tpm)
    response = tpm.execute(command)
    tag, size_bytes, rc = int.from_bytes(response[:2]), int.from_bytes(response[2:6]), int.from_bytes(response[6:10])
    assert HEADER_BYTES <= size_bytes == len(response) <= MAX_FRAME_BYTES
    if rc == 0:
        assert tag == int.from_bytes(command[:2])
    else:
        assert (tag, size_bytes) == (Tag.NO_SESSIONS, HEADER_BYTES)
        assert _remembered(tpm) == before, command.hex()
    return rc


def _remembered(tpm: NitroTpm) -> object:
    """Return all that the TPM remembers but what failures count."""
    chip = tpm._chip
    volatile = chip.volatile
    lasting = to_json(chip.permanent)
    assert isinstance(lasting, dict)
    return (
        {name: value for name, value in lasting.items() if name not in COUNTED},
        to_json(volatile.reset),
        dict(volatile.pcrs.values),
        volatile.pcrs.counter,
        {handle: _content(each) for handle, each in volatile.objects.items()},
        {handle: repr(each) for handle, each in volatile.sessions.items()},
        (volatile.started, volatile.platform_nv_enabled, volatile.startup_locality, volatile.reallocated),
    )


def _content(loaded: object) -> object:
    return loaded.digests() if isinstance(loaded, Sequence) else loaded
