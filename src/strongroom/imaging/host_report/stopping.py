# SPDX-License-Identifier: Apache-2.0
"""How it is stopped: what the image does about it, and what it cannot keep its owner from."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.imaging.host_report.evidence import Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic
from strongroom.imaging.host_report.unit_values import value

_KEYS = ("HandlePowerKey", "HandlePowerKeyLongPress")


def stopping(evidence: Evidence) -> Iterator[Fact]:
    """Yield what happens when EC2 stops the instance, and what always works."""
    text = "StopInstances and TerminateInstances always work: EC2 presses the power button, then cuts the power"
    yield Fact(Topic.STOPPING, Basis.STATED, text)
    told = False
    for place in ("/etc/systemd/logind.conf", "/etc/systemd/logind.conf.d/*", "/usr/lib/systemd/logind.conf.d/*"):
        for node in evidence.tree.glob(place):
            for number, line in evidence.tree.lines(node.path):
                key, sign, chosen = line.strip().partition("=")
                if sign and key in _KEYS:
                    told = True
                    yield Fact(Topic.STOPPING, Basis.STATED, f"power button: {key}={chosen}", node.path, number)
    if not told and evidence.starts("systemd-logind.service"):
        text = "the power button shuts it down: systemd-logind runs, and no file says otherwise"
        yield Fact(Topic.STOPPING, Basis.STATED, text)
    elif not told:
        text = "nothing was found that acts on the power button: its power may be cut, after EC2 has waited"
        yield Fact(Topic.STOPPING, Basis.POSSIBLE, text)
    slow = [unit for unit in evidence.units("service") if value(unit, "TimeoutStopSec") == "infinity"]
    for unit in slow:
        text = f"{unit.name} is waited for without an end (TimeoutStopSec=infinity)"
        yield Fact(Topic.STOPPING, Basis.STATED, text, unit.path)
    text = "taking away its role, its route to KMS, or its security group ends its next calls, and not what it holds"
    yield Fact(Topic.STOPPING, Basis.STATED, text)
