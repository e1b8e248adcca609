# SPDX-License-Identifier: Apache-2.0
"""Debian's tpm2-tools as a second reader of event logs: `tpm2_eventlog`, its output taken apart line by line.

Its YAML is not always YAML (texts of GRUB break it), so only lines at their own depth are looked at.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.formats.event_log import EventLog, LogEvent, LogFormat, parse_event_log
from strongroom.formats.pcrs import PcrBank
from strongroom.measure.banks import extend
from strongroom.measure.event_log import replay_log
from strongroom.measure.events import EVENT_TYPES, event_type

_FIELD = re.compile(r"^  (PCRIndex|EventType|EventSize): (.+)$")
_ATTRIBUTES = {"PCRIndex": "pcr", "EventType": "kind", "EventSize": "size"}
_ALGORITHM = re.compile(r"^  - AlgorithmId: (\w+)$")
_DIGEST = re.compile(r'^    Digest: "([0-9a-f]*)"$')
_BANK = re.compile(r"^  (\w+):$")
_PCR = re.compile(r"^    (\d+) *: 0x([0-9a-f]+)$")

NO_NAME = "Unknown event type"


@dataclass
class PeerEvent:
    """As it is printed."""

    pcr: str = ""
    kind: str = ""
    size: str = ""
    digests: dict[str, str] = field(default_factory=dict)


@dataclass
class PeerLog:
    events: list[PeerEvent]
    pcrs: dict[str, dict[int, str]]


def program() -> str:
    found = shutil.which("tpm2_eventlog", path=f"{os.environ['PATH']}:/usr/sbin:/usr/bin")
    assert found, "tpm2_eventlog is missing: install the Debian package tpm2-tools (make setup does)"
    return found


def refusal(file: Path) -> str:
    """What the peer says of a log that it does not read; nothing if it does."""
    done = run(file)
    return done.stderr if done.returncode else ""


def run(file: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([program(), str(file)], capture_output=True, text=True, errors="replace", check=False)


def read(file: Path) -> PeerLog:
    done = run(file)
    assert done.returncode == 0, done.stderr
    body, _, tail = done.stdout.rpartition("\npcrs:\n")
    return PeerLog(_events(body), _pcrs(tail))


def _events(body: str) -> list[PeerEvent]:
    events: list[PeerEvent] = []
    algorithm = ""
    for line in body.splitlines():
        if found := _FIELD.match(line):
            if found[1] == "PCRIndex":
                events.append(PeerEvent())
            setattr(events[-1], _ATTRIBUTES[found[1]], found[2])
        elif found := _ALGORITHM.match(line):
            algorithm = found[1]
        elif found := _DIGEST.match(line):
            events[-1].digests[algorithm] = found[1]
    return events


def _pcrs(tail: str) -> dict[str, dict[int, str]]:
    pcrs: dict[str, dict[int, str]] = {}
    bank: dict[int, str] = {}
    for line in tail.splitlines():
        if found := _BANK.match(line):
            bank = pcrs[found[1]] = {}
        elif found := _PCR.match(line):
            bank[int(found[1])] = found[2]
    return pcrs


def differences(file: Path) -> list[str]:
    """Every PCR, type, size and digest of every event, and every replayed PCR of every bank, that the two do not share.

    Accepted, and so left out:

    - a type that the peer has no name for, where the TCG has none either (0x8401 of Intel TXT)
    - PCRs with EV_NO_ACTION records, if the peer's value is what extending their digests gives: tpm2-tools before 5.6
      did that (its issue 3224, mended by pull request 3230), against PFP 1.06, section 10.4.1
    """
    peer, ours = read(file), parse_event_log(file.read_bytes())
    header = 1 if ours.format is LogFormat.CRYPTO_AGILE else 0
    found = [] if len(peer.events) == len(ours.events) + header else [f"{len(peer.events)} events"]
    for theirs, event in zip(peer.events[header:], ours.events, strict=False):
        if (theirs.pcr, theirs.size) != (str(event.pcr), str(len(event.data))) or theirs.digests != _digests(event):
            found.append(f"event at {event.offset}: {theirs} and {event}")
        if theirs.kind != event_type(event.kind) and (event.kind in EVENT_TYPES or theirs.kind != NO_NAME):
            found.append(f"type at {event.offset}: {theirs.kind} and {event_type(event.kind)}")
    for bank in ours.banks:
        mine = {int(index): value.hex() for index, value in replay_log(ours, bank).items()}
        for index in sorted({*mine, *peer.pcrs[bank.lower()]}):
            value = peer.pcrs[bank.lower()].get(index)
            if value not in {mine.get(index), _with_no_action(ours, bank, index)}:
                found.append(f"PCR{index} of {bank}: {value} and {mine.get(index)}")
    return found


def _digests(event: LogEvent) -> dict[str, str]:
    return {bank.lower(): digest.hex() for bank, digest in event.digests.items()}


def _with_no_action(log: EventLog, bank: PcrBank, index: int) -> str:
    value = bytes(bank.size_bytes)
    for event in log.events:
        if event.pcr == index:
            value = extend(bank, value, event.digests[bank])
    return value.hex()
