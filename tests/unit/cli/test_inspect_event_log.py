# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from tests.event_logs import (
    CRTM_VERSION,
    IPL,
    NO_ACTION,
    SHA256,
    SHA384,
    SHIM,
    SMALL_BOOT,
    VARIABLE,
    event,
    header,
    locality,
    log,
    sha1_event,
    variable,
)

from strongroom.formats.event_log import parse_event_log
from strongroom.formats.pcrs import PcrBank
from strongroom.measure.event_log import replay_log


def test_every_event_has_its_line_with_what_vouches_for_it(inspect):
    code, said = inspect(SMALL_BOOT)
    assert code == 0
    assert said.out.startswith("This is a TCG event log. Unverified: anybody can write such a file. Compare")
    assert "Banks: SHA384. Events: 15." in said.out
    assert " 7  digest  EFI_VARIABLE_DRIVER_CONFIG      variable SecureBoot: off\n" in said.out
    assert " 4  log     EFI_BOOT_SERVICES_APPLICATION   EFI program, 4096 bytes, from " in said.out
    assert '12  digest  IPL                             kernel command line "quiet"\n' in said.out


def test_the_pcrs_that_the_log_leads_to_have_a_sentence_each(inspect):
    out = inspect(SMALL_BOOT)[1].out
    for index, digest in replay_log(parse_event_log(SMALL_BOOT), PcrBank.SHA384).items():
        assert f"PCR{index:<3} {digest.hex()}\n       " in out
    assert "EFI drivers that ran before the boot loader: one separator, and nothing was measured beside it" in out


def test_each_bank_has_its_pcrs_and_a_separator_is_known_in_it(inspect):
    two = (SHA256, SHA384)
    out = inspect(log(event(2, 4, bytes(4), algorithms=two), algorithms=two))[1].out
    assert "Banks: SHA256, SHA384." in out
    assert "PCRs of the SHA256 bank:" in out
    assert out.count("one separator, and nothing was measured beside it") == 2


def test_the_older_kind_is_called_that(inspect):
    code, said = inspect(sha1_event(0, CRTM_VERSION, b"v1"))
    assert (code, "with SHA-1 alone" in said.out) == (0, True)
    assert "two texts with the same SHA-1 digest can be made" in said.out
    assert "two texts" not in inspect(SMALL_BOOT)[1].out


def test_a_locality_other_than_the_usual_is_said(inspect):
    assert "PCR 0 began with that" in inspect(log(event(0, NO_ACTION, locality(3))))[1].out
    assert "PCR 0 began with that" not in inspect(SMALL_BOOT)[1].out


@pytest.mark.attack("A21")
def test_what_is_not_measured_is_marked(inspect):
    out = inspect(log(event(0xFFFFFFFF, NO_ACTION, b"trust me")))[1].out
    assert ' -  -       NO_ACTION                       "trust me"\n' in out
    assert "The log leads to" in out


def test_a_log_without_a_known_bank_has_its_banks_shown_alone(inspect):
    code, said = inspect(sha1_event(0, NO_ACTION, header((0x7777,))))
    assert code == 0
    assert "Banks: , 0x7777 (unknown)" not in said.out
    assert "Banks: 0x7777 (unknown). Events: 0." in said.out


def test_json_carries_the_same_facts(inspect):
    said = json.loads(inspect(SMALL_BOOT, "--json")[1].out)
    assert (said["ok"], said["verified"], said["kind"]) == (True, False, "event-log")
    assert (said["format"], said["banks"], said["startup_locality"]) == ("crypto-agile", ["SHA384"], 0)
    assert said["unknown_algorithms"] == []
    assert len(said["events"]) == 15
    first = said["events"][0]
    assert (first["pcr"], first["type"], first["proof"], first["offset"]) == (0, "EV_S_CRTM_VERSION", "covered", 65)
    assert first["about"] == 'version of the firmware: "v1"'
    assert len(first["digest"]) == 96
    assert said["pcrs"]["SHA384"]["2"].startswith("518923b0")
    nowhere = json.loads(inspect(log(event(0xFFFFFFFF, NO_ACTION, b"x")), "--json")[1].out)
    assert nowhere["events"][0]["pcr"] is None


@pytest.mark.attack("A21")
def test_a_truncated_log_is_malformed(inspect):
    code, said = inspect(SMALL_BOOT[:-1])
    assert (code, "[event-log.truncated]" in said.err) == (3, True)
    assert "at byte" in said.err


@pytest.mark.attack("A16")
def test_a_log_cannot_speak_to_the_terminal(inspect):
    hostile = event(7, VARIABLE, variable(SHIM, "\x1b[2Jon\u202e", b"x"))
    code, said = inspect(log(hostile, event(8, IPL, b"grub_cmd: \x1b[2J\0")))
    assert code == 0
    assert all(character.isprintable() for line in said.out.split("\n") for character in line)


@pytest.mark.attack("A21")
def test_genuine_logs_are_shown(genuine_vectors, inspect):
    files = sorted((genuine_vectors / "event-logs").iterdir())
    assert files
    for file in files:
        code, said = inspect(file.read_bytes())
        assert (code, "The log leads to" in said.out) == (0, True)
