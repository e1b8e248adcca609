# SPDX-License-Identifier: Apache-2.0
"""What reaches the serial console, which whoever may call ec2:GetConsoleOutput reads, and what reaches logs."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.imaging.host_report.evidence import AGENT_CONFIG, Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic
from strongroom.imaging.host_report.unit_values import value

_JOURNAL_KEYS = ("Storage", "ForwardToConsole", "ForwardToSyslog", "ForwardToWall", "ForwardToKMsg", "TTYPath")
_TO_CONSOLE = ("console", "tty", "kmsg")
_SHIPPERS = (
    ("rsyslogd writes or forwards logs", "/usr/sbin/rsyslogd"),
    ("syslog-ng writes or forwards logs", "/usr/sbin/syslog-ng"),
    ("fluent-bit forwards logs", "/opt/fluent-bit/bin/fluent-bit"),
    ("the CloudWatch agent forwards logs", "/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent"),
    ("vector forwards logs", "/usr/bin/vector"),
    ("filebeat forwards logs", "/usr/bin/filebeat"),
)


def output(evidence: Evidence) -> Iterator[Fact]:
    """Yield what writes to the console, how the journal is kept, and what forwards logs."""
    if evidence.agent_config is not None:
        text = (
            "the agent prints a receipt (an attestation document) and one line for each failure, with no secret in it"
        )
        yield Fact(Topic.OUTPUT, Basis.STATED, text, AGENT_CONFIG)
    yield from _kernel(evidence)
    yield from _journal(evidence)
    for unit in evidence.units("service"):
        for key in ("StandardOutput", "StandardError"):
            where = value(unit, key)
            if any(word in where for word in _TO_CONSOLE):
                yield Fact(Topic.OUTPUT, Basis.STATED, f"{unit.name} writes to {where} ({key})", unit.path)
    for text, place in _SHIPPERS:
        if evidence.has(place):
            yield Fact(Topic.OUTPUT, Basis.POSSIBLE, text, place)


def _kernel(evidence: Evidence) -> Iterator[Fact]:
    subject = evidence.subject
    if subject.command_line is None:
        return
    consoles = [value for value in subject.values("console") if value]
    words = {key for key, _ in subject.arguments}
    levels = [value for value in subject.values("loglevel") if value]
    loudness = f"loglevel={levels[-1]}" if levels else ("quiet" if "quiet" in words else "its usual messages")
    if consoles:
        yield Fact(Topic.OUTPUT, Basis.STATED, f"the kernel writes to {', '.join(consoles)}: {loudness}")
    else:
        yield Fact(Topic.OUTPUT, Basis.POSSIBLE, f"the kernel chooses its console: {loudness}")


def _journal(evidence: Evidence) -> Iterator[Fact]:
    found = False
    for place in ("/etc/systemd/journald.conf", "/usr/lib/systemd/journald.conf.d/*", "/etc/systemd/journald.conf.d/*"):
        for node in evidence.tree.glob(place):
            for number, line in evidence.tree.lines(node.path):
                key, sign, value = line.strip().partition("=")
                if sign and key in _JOURNAL_KEYS:
                    found = True
                    yield Fact(Topic.OUTPUT, Basis.STATED, f"journal: {key}={value}", node.path, number)
    if not found and evidence.has("/usr/lib/systemd/systemd-journald"):
        volatile = {"state", "overlay", "yes"}.intersection(map(str, evidence.systemd_words("volatile")))
        on_disk = evidence.tree.resolve("/var/log/journal") is not None and not volatile
        kept = "on disk, under /var/log/journal" if on_disk else "in memory"
        yield Fact(Topic.OUTPUT, Basis.STATED, f"the journal is kept {kept}: no file says otherwise")
