# SPDX-License-Identifier: Apache-2.0
"""What the emulated NitroTPM says about itself: lists that add up, page by page, vendor command included."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.tpm_commands import EMPTY, NULL, PLATFORM, SHA256, send, sized, u8, u16, u32

from strongroom.formats.tpm.command_codes import Cc
from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.registry import COMMANDS
from strongroom.twin.nitrotpm.tpm import NitroTpm

ALGS, HANDLES, CC, PCRS, PROPERTIES, PCR_PROPERTIES, CURVES, POLICIES = 0, 1, 2, 5, 6, 7, 8, 9
TOTAL, LIBRARY, VENDOR = 0x129, 0x12A, 0x12B
ENTRY_BYTES = {ALGS: 6, HANDLES: 4, CC: 4, PROPERTIES: 8, PCR_PROPERTIES: 8, CURVES: 2}


def ask(tpm, capability, first=0, count=1000):
    """Return the entries, and whether there are more."""
    response = send(tpm, "GetCapability", (), u32(capability) + u32(first) + u32(count))
    assert response.code == 0, hex(response.code)
    content, size = response.parameters(), ENTRY_BYTES[capability]
    entries = [content[start : start + size] for start in range(9, len(content), size)]
    assert int.from_bytes(content[5:9]) == len(entries)
    return entries, bool(content[0])


def properties(tpm, first=0x100):
    return {int.from_bytes(entry[:4]): int.from_bytes(entry[4:]) for entry in ask(tpm, PROPERTIES, first)[0]}


@pytest.mark.parametrize("listed", [True, False])
def test_as_many_commands_are_counted_as_are_listed(listed):
    """Linux gives up a TPM that counts otherwise (tpm2_get_cc_attrs_tbl)."""
    tpm = NitroTpm(profile=Profile(lists_vendor_command=listed))
    send(tpm, "Startup", (), u16(0))
    entries, more = ask(tpm, CC, 0x11F, 0xFFFFFFFF)
    fixed = properties(tpm)
    vendor = [entry for entry in entries if int.from_bytes(entry) >> 29 & 1]
    assert not more
    assert (fixed[TOTAL], fixed[VENDOR]) == (len(entries), len(vendor)) == (len(COMMANDS) - (not listed), int(listed))
    assert fixed[LIBRARY] == len(entries) - len(vendor)
    assert [int.from_bytes(entry) & 0xFFFF for entry in vendor] == [Cc.AWS_NSM_REQUEST & 0xFFFF] * listed


def test_a_command_is_described_as_it_is_registered(tpm):
    ((entry,), more) = ask(tpm, CC, Cc.PCR_EXTEND, 1)
    assert more
    assert int.from_bytes(entry) == 1 << 25 | 1 << 22 | Cc.PCR_EXTEND


@pytest.mark.parametrize(("capability", "first"), [(ALGS, 0), (CC, 0), (PROPERTIES, 0x100), (PROPERTIES, 0x200)])
def test_pages_of_one_make_the_whole_list(tpm, capability, first):
    whole, more = ask(tpm, capability, first)
    paged, wanted = [], first
    while True:
        (entry,), there_is_more = ask(tpm, capability, wanted, 1)
        paged.append(entry)
        if not there_is_more:
            break
        wanted = (int.from_bytes(entry[:2]) if capability == ALGS else _number(entry, capability)) + 1
    assert (paged, more) == (whole, False)


def _number(entry, capability):
    value = int.from_bytes(entry[:4])
    return value if capability == PROPERTIES else value & 0x2000FFFF


def test_there_is_more_where_nothing_was_wanted(tpm):
    assert ask(tpm, ALGS, 0, 0) == ([], True)
    assert ask(tpm, ALGS, 0xFFFF, 1) == ([], False)


def test_properties_are_those_of_the_profile():
    profile = Profile(manufacturer="ABCD", vendor="Example", firmware_version=0x0102030405060708, nv_buffer_bytes=512)
    tpm = NitroTpm(profile=profile)
    send(tpm, "Startup", (), u16(0))
    fixed = properties(tpm)
    assert fixed[0x105] == int.from_bytes(b"ABCD")
    assert b"".join(fixed[number].to_bytes(4) for number in range(0x106, 0x10A)) == b"Example".ljust(16, b"\0")
    assert (fixed[0x10B], fixed[0x10C]) == (0x01020304, 0x05060708)
    assert (fixed[0x117], fixed[0x12C]) == (8192, 512)


def test_what_is_made_shows(tpm):
    send(tpm, "StartAuthSession", (NULL, NULL), sized(bytes(16)) + sized() + u8(1) + u16(0x10) + u16(SHA256))
    send(tpm, "HashSequenceStart", (), sized() + u16(SHA256))
    now = properties(tpm, 0x200)
    assert (now[0x203], now[0x205], now[0x207]) == (1, 1, 63)
    assert ask(tpm, HANDLES, 0x02000000)[0] == [u32(0x03000000)]
    assert ask(tpm, HANDLES, 0x03000000)[0] == []
    assert ask(tpm, HANDLES, 0x80000000)[0] == [u32(0x80000000)]


def test_pcrs_have_the_properties_of_a_pc(tpm):
    masks = {int.from_bytes(e[:4]): int.from_bytes(e[5:], "little") for e in ask(tpm, PCR_PROPERTIES)[0]}
    assert masks[0x00] == 0x00FFFF
    assert masks[0x01] == 0x81FFFF
    assert masks[0x02] == 0x810000
    assert masks[0x0A] == 0x7E0000


def test_a_policy_of_a_hierarchy_is_shown(tpm):
    send(tpm, "SetPrimaryPolicy", (PLATFORM,), sized(b"p" * 32) + u16(SHA256), EMPTY)
    shown = send(tpm, "GetCapability", (), u32(POLICIES) + u32(PLATFORM) + u32(1)).parameters()
    assert shown[9:] == u32(PLATFORM) + u16(SHA256) + b"p" * 32


@pytest.mark.parametrize("capability", [0x0B, 0x100, 0xFFFFFFFF])
def test_an_unknown_capability_is_refused(tpm, capability):
    assert send(tpm, "GetCapability", (), u32(capability) + u32(0) + u32(1)).code == 0x1C4


@pytest.mark.parametrize(("curve", "known"), [(3, ec.SECP256R1()), (4, ec.SECP384R1())])
def test_the_numbers_of_a_curve_are_the_curve(tpm, curve, known):
    """The base point is on it, and once the order of it is the point again, with the other sign one step before."""
    content = send(tpm, "ECC_Parameters", (), u16(curve)).parameters()
    size = known.key_size // 8
    p, a, b, x, y, n = (
        int.from_bytes(content[10 + start * (size + 2) + 2 : 10 + (start + 1) * (size + 2)]) for start in range(6)
    )
    assert (y * y - (x**3 + a * x + b)) % p == 0
    one = ec.derive_private_key(1, known).public_key().public_numbers()
    last = ec.derive_private_key(n - 1, known).public_key().public_numbers()
    assert (one.x, one.y, last.x, last.y) == (x, y, x, p - y)


def test_parameters_of_keys_that_there_are_not_are_refused(tpm):
    good = u16(0x0001) + u16(0x10) + u16(0x10) + u16(2048) + u32(0)
    assert send(tpm, "TestParms", (), good).code == 0
    assert send(tpm, "TestParms", (), good[:6] + u16(512) + u32(0)).code == 0x1C4
