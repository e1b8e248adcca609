# SPDX-License-Identifier: Apache-2.0
"""NV indices of the emulated NitroTPM: what may be defined, who may use it, and what starts do to it."""

import hashlib

import pytest
from tests.conformance.tpm_stories.nv_commands import (
    AUTH_READ,
    AUTH_WRITE,
    CLEAR_STCLEAR,
    COUNTER,
    EXTEND,
    GLOBAL_LOCK,
    INDEX,
    NO_DA,
    ORDERLY,
    OWNER_READ,
    OWNER_WRITE,
    PIN_FAIL,
    PIN_PASS,
    PLAIN,
    POLICY_DELETE,
    WRITE_ALL,
    WRITE_DEFINE,
    WRITE_LOCKED,
    WRITE_STCLEAR,
    WRITTEN,
    define,
    public,
    public_of,
    read,
    undefine,
    write,
)
from tests.tpm_commands import EMPTY, OWNER, Command, Response, password, send, sized, u16, u64

from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.tpm import NitroTpm

ATTRIBUTES_2, SIZE_2, SIZE_1 = 0x2C2, 0x2D5, 0x1D5
NV_RANGE, NV_LOCKED, NV_AUTHORIZATION, NV_UNINITIALIZED, NV_SPACE, NV_DEFINED = 0x146, 0x148, 0x149, 0x14A, 0x14B, 0x14C
INCREMENT = Command("NV_Increment", (OWNER, INDEX), b"", EMPTY)


def do(tpm, command):
    return Response(tpm.execute(command.content))


def done(tpm, *commands):
    for command in commands:
        response = do(tpm, command)
        assert response.code == 0, f"{command.name}: {response.code:#x}"
    return response


def restart(tpm, shutdown=None, startup=0):
    if shutdown is not None:
        done(tpm, Command("Shutdown", (), u16(shutdown)))
    tpm.cut_power()
    done(tpm, Command("Startup", (), u16(startup)))


def count(tpm):
    return int.from_bytes(done(tpm, read(8)).sized())


def test_an_index_holds_what_aws_writes(tpm):
    """AWS's client defines one index of 8,192 bytes and writes it in pieces (nitro-tpm-attest)."""
    done(tpm, define(PLAIN, 8192))
    pieces = {start: hashlib.shake_128(bytes([start >> 8])).digest(1024) for start in range(0, 8192, 1024)}
    done(tpm, *(write(piece, start) for start, piece in pieces.items()))
    assert {start: done(tpm, read(1024, start)).sized() for start in pieces} == pieces
    assert do(tpm, define(PLAIN, 8193, index=INDEX + 1)).code == SIZE_2


def test_its_name_changes_when_it_is_written_first(tpm):
    done(tpm, define(PLAIN, 8))
    before = done(tpm, public_of())
    done(tpm, write(b"x"))
    after = done(tpm, public_of())
    area = after.sized()
    assert int.from_bytes(area[6:10]) == PLAIN | WRITTEN
    assert after.sized(1) == b"\0\x0b" + hashlib.sha256(area).digest() != before.sized(1)


@pytest.mark.parametrize(
    "attributes",
    [
        PLAIN | WRITTEN,
        PLAIN | WRITE_LOCKED,
        PLAIN & ~(OWNER_READ | AUTH_READ),
        PLAIN & ~(OWNER_WRITE | AUTH_WRITE),
        PLAIN | CLEAR_STCLEAR | WRITE_DEFINE,
        PLAIN | COUNTER | CLEAR_STCLEAR,
        PLAIN | POLICY_DELETE,
        PLAIN | PIN_PASS,
        PLAIN | PIN_FAIL,
        PLAIN | 0x3 << 4,
    ],
)
def test_an_index_that_makes_no_sense_is_refused(tpm, attributes):
    assert do(tpm, define(attributes, 8)).code == ATTRIBUTES_2
    assert do(tpm, public_of()).code == 0x18B


@pytest.mark.parametrize(
    ("attributes", "size"),
    [(PLAIN | COUNTER, 7), (PLAIN | EXTEND, 31), (PLAIN | WRITE_ALL, 1025)],
)
def test_an_index_of_a_size_that_makes_no_sense_is_refused(tpm, attributes, size):
    assert do(tpm, define(attributes, size)).code == SIZE_2


def test_its_authorization_value_is_no_longer_than_its_name(tpm):
    assert do(tpm, define(PLAIN, 8, auth=b"a" * 33)).code == SIZE_1
    done(tpm, define(PLAIN, 8, auth=b"a" * 32 + b"\0"))


def test_a_handle_is_defined_once_and_room_is_limited():
    tpm = NitroTpm(profile=Profile(nv_indices=2))
    done(tpm, Command("Startup", (), u16(0)), define(PLAIN, 8), define(PLAIN, 8, index=INDEX + 1))
    assert do(tpm, define(PLAIN, 8)).code == NV_DEFINED
    assert do(tpm, define(PLAIN, 8, index=INDEX + 2)).code == NV_SPACE
    done(tpm, undefine(), define(PLAIN, 8, index=INDEX + 2))


def test_nobody_reads_before_it_is_written_nor_past_its_end(tpm):
    done(tpm, define(PLAIN, 8))
    assert do(tpm, read(1)).code == NV_UNINITIALIZED
    assert do(tpm, write(bytes(9))).code == NV_RANGE
    done(tpm, write(b"x", 7))
    assert do(tpm, read(2, 7)).code == NV_RANGE


def test_an_index_authorizes_itself_only(tpm):
    done(tpm, define(AUTH_READ | AUTH_WRITE | NO_DA, 8, auth=b"one"))
    done(tpm, define(AUTH_READ | AUTH_WRITE | NO_DA, 8, auth=b"two", index=INDEX + 1))
    done(tpm, write(b"x", by=INDEX, areas=(password(b"one"),)))
    assert do(tpm, write(b"x", by=INDEX + 1, areas=(password(b"two"),))).code == NV_AUTHORIZATION
    assert do(tpm, write(b"x")).code == NV_AUTHORIZATION


def test_a_counter_goes_on_where_any_removed_one_was(tpm):
    done(tpm, define(PLAIN | COUNTER, 8), *[INCREMENT] * 5)
    done(tpm, undefine(), define(PLAIN | COUNTER, 8))
    assert do(tpm, read(8)).code == NV_UNINITIALIZED
    done(tpm, INCREMENT)
    assert count(tpm) == 6


def test_an_owner_that_is_cleared_does_not_begin_counting_anew(tpm):
    done(tpm, define(PLAIN | COUNTER | ORDERLY, 8), *[INCREMENT] * 3)
    done(tpm, Command("Clear", (0x4000000C,), b"", EMPTY), define(PLAIN | COUNTER, 8), INCREMENT)
    assert count(tpm) == 4


def test_an_orderly_counter_jumps_ahead_after_a_sudden_loss_of_power(tpm):
    done(tpm, define(PLAIN | COUNTER | ORDERLY, 8), *[INCREMENT] * 3)
    restart(tpm, shutdown=0)
    assert count(tpm) == 3
    restart(tpm)
    assert count(tpm) == 255
    done(tpm, INCREMENT)
    assert count(tpm) == 256


def test_what_is_orderly_is_lost_with_a_reset(tpm):
    done(tpm, define(PLAIN | ORDERLY, 8), write(b"x"))
    restart(tpm, shutdown=1, startup=1)
    assert done(tpm, read(1)).sized() == b"x"
    restart(tpm, shutdown=0)
    assert do(tpm, read(1)).code == NV_UNINITIALIZED


def test_bits_are_only_ever_set(tpm):
    done(tpm, define(PLAIN | 0x2 << 4, 8))
    for bits in (1, 0x8000000000000000, 0):
        done(tpm, Command("NV_SetBits", (OWNER, INDEX), u64(bits), EMPTY))
    assert count(tpm) == 0x8000000000000001


def test_an_index_is_extended_like_a_pcr(tpm):
    area = sized() + public(PLAIN | EXTEND, 48, name=0x000C)
    done(tpm, Command("NV_DefineSpace", (OWNER,), area, EMPTY))
    for event in (b"one", b"two"):
        done(tpm, Command("NV_Extend", (OWNER, INDEX), sized(event), EMPTY))
    first = hashlib.sha384(bytes(48) + b"one").digest()
    assert done(tpm, read(48)).sized() == hashlib.sha384(first + b"two").digest()


def test_a_lock_holds_until_the_next_start_or_for_good(tpm):
    for number, attribute in enumerate((WRITE_STCLEAR, WRITE_DEFINE)):
        index = INDEX + number
        done(tpm, define(PLAIN | attribute, 8, index=index), write(b"x", index=index))
        done(tpm, Command("NV_WriteLock", (OWNER, index), b"", EMPTY))
        assert do(tpm, write(b"y", index=index)).code == NV_LOCKED
    restart(tpm, shutdown=1, startup=1)
    assert do(tpm, write(b"y")).code == NV_LOCKED
    restart(tpm)
    done(tpm, write(b"y"))
    assert do(tpm, write(b"y", index=INDEX + 1)).code == NV_LOCKED


def test_the_global_lock_locks_who_takes_part(tpm):
    done(tpm, define(PLAIN | GLOBAL_LOCK, 8), define(PLAIN, 8, index=INDEX + 1))
    done(tpm, Command("NV_GlobalWriteLock", (OWNER,), b"", EMPTY))
    assert do(tpm, write(b"x")).code == NV_LOCKED
    done(tpm, write(b"x", index=INDEX + 1))


def test_what_is_refused_changes_nothing(tpm):
    done(tpm, define(PLAIN | WRITE_ALL, 8), write(b"8 bytes!"))
    for refused in (write(b"x"), write(bytes(8), 1), Command("NV_Extend", (OWNER, INDEX), sized(b"x"), EMPTY)):
        assert do(tpm, refused).code != 0
    assert done(tpm, read(8)).sized() == b"8 bytes!"


def test_pieces_are_as_large_as_the_profile_says(tpm):
    small = NitroTpm(profile=Profile(nv_buffer_bytes=512))
    done(small, Command("Startup", (), u16(0)), define(PLAIN, 1024), write(bytes(512)))
    assert do(small, write(bytes(513))).code == SIZE_1
    assert do(small, read(513)).code == 0x1C4
    assert send(small, "GetCapability", (), bytes.fromhex("00000006 0000012c 00000001")).parameters()[-2:] == b"\x02\0"
