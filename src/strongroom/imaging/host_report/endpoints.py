# SPDX-License-Identifier: Apache-2.0
"""Whom the image talks to: the agent by its measured trust file, and every address that its configuration names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from strongroom.formats.partition import Profile
from strongroom.formats.trust import Trust
from strongroom.imaging.audit.subject import TRUST
from strongroom.imaging.host_report.commands import commands_of
from strongroom.imaging.host_report.evidence import Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic

_URL = re.compile(r"\b(?:https?|s3|wss?|tcp|tls|ldaps?|amqps?|postgres(?:ql)?|redis)://[^\s\"'<>,;)\\]+", re.IGNORECASE)
_COMMENT = re.compile(r"\s*(?:#|;|//|--)")
_DOCUMENTATION = re.compile(
    r"\s*(?:Documentation|HOME_URL|SUPPORT_URL|BUG_REPORT_URL|DOCUMENTATION_URL|PRIVACY_POLICY_URL|DEFAULT_HOSTNAME)="
)
"""Words of unit files and of os-release(5) that nothing connects to."""
_PACKAGE_SOURCES = (
    ("apt", "/etc/apt/sources.list"),
    ("apt", "/etc/apt/sources.list.d/*"),
    ("dnf", "/etc/yum.repos.d/*.repo"),
    ("zypper", "/etc/zypp/repos.d/*.repo"),
    ("apk", "/etc/apk/repositories"),
    ("pip", "/etc/pip.conf"),
)
_MANAGERS = {
    "apt": re.compile(r"/usr/lib/apt/.*|.*/(?:apt|apt-get|unattended-upgrade)"),
    "dnf": re.compile(r".*/(?:dnf|yum|microdnf|dnf-automatic)"),
    "zypper": re.compile(r".*/zypper"),
    "apk": re.compile(r".*/apk"),
    "pip": re.compile(r".*/pip3?"),
}
"""The programs that fetch packages."""
_NAMED = (
    ("time", "/etc/chrony*", r"\s*(?:server|pool|peer)\s+(\S+)"),
    ("time", "/etc/chrony*/*", r"\s*(?:server|pool|peer)\s+(\S+)"),
    ("time", "/etc/systemd/timesyncd.conf*", r"\s*(?:NTP|FallbackNTP)=(\S.*)"),
    ("time", "/etc/systemd/timesyncd.conf.d/*", r"\s*(?:NTP|FallbackNTP)=(\S.*)"),
    ("names (DNS)", "/etc/systemd/resolved.conf*", r"\s*(?:DNS|FallbackDNS)=(\S.*)"),
    ("names (DNS)", "/etc/systemd/resolved.conf.d/*", r"\s*(?:DNS|FallbackDNS)=(\S.*)"),
    ("names (DNS)", "/etc/resolv.conf", r"\s*nameserver\s+(\S+)"),
    ("logs", "/etc/rsyslog.conf", r".*\s@{1,2}(\S+)"),
    ("logs", "/etc/rsyslog.d/*", r".*\s@{1,2}(\S+)"),
    ("logs", "/etc/systemd/journal-upload.conf*", r"\s*URL=(\S+)"),
)


def endpoints(evidence: Evidence) -> Iterator[Fact]:
    """Yield the agent's endpoints, services of the system, package sources, and every other URL in configuration."""
    if evidence.subject.trust is not None:
        yield from _of_agent(evidence.subject.trust)
    for purpose, place, pattern in _NAMED:
        yield from _named(evidence, purpose, place, re.compile(pattern))
    yield from _networks(evidence)
    sources = list(_sources(evidence))
    yield from sources
    yield from _urls(evidence, {fact.path for fact in sources})


def _of_agent(trust: Trust) -> Iterator[Fact]:
    for region, url in trust.tls.kms.items():
        yield Fact(Topic.ENDPOINTS, Basis.STATED, f"the agent calls KMS of {region} at {url}", TRUST)
    if trust.profile is Profile.PRODUCTION:
        suffix = trust.vendor.partition.dns_suffix
        text = f"the agent calls KMS of the instance's own Region at https://kms.REGION.{suffix}, unless named above"
        yield Fact(Topic.ENDPOINTS, Basis.STATED, text, TRUST)
    accounts = ", ".join(trust.vendor.accounts)
    text = f"the agent uses no KMS keys but those of the vendor's accounts {accounts}, under TLS roots that it pins"
    yield Fact(Topic.ENDPOINTS, Basis.STATED, text, TRUST)


def _named(evidence: Evidence, purpose: str, place: str, pattern: re.Pattern[str]) -> Iterator[Fact]:
    for node in evidence.tree.glob(place):
        for number, line in evidence.tree.lines(node.path):
            found = None if _COMMENT.match(line) else pattern.match(line)
            if found:
                text = f"it asks {found.group(1).strip()} for {purpose}" if purpose != "logs" else ""
                text = text or f"it sends logs to {found.group(1).strip()}"
                yield Fact(Topic.ENDPOINTS, Basis.STATED, text, node.path, number)


def _networks(evidence: Evidence) -> Iterator[Fact]:
    if not evidence.starts("systemd-networkd.service"):
        return
    for folder in ("/etc/systemd/network", "/usr/lib/systemd/network"):
        for node in evidence.tree.glob(f"{folder}/*.network"):
            for number, line in evidence.tree.lines(node.path):
                key, sign, value = line.strip().partition("=")
                if sign and key in {"DHCP", "Address", "Gateway", "DNS", "NTP"} and value not in {"no", ""}:
                    yield Fact(Topic.ENDPOINTS, Basis.STATED, f"{node.name}: {key}={value}", node.path, number)


def _sources(evidence: Evidence) -> Iterator[Fact]:
    run = {command.program for unit in evidence.units("service") for command in commands_of(unit)}
    for manager, place in _PACKAGE_SOURCES:
        running = sorted(program for program in run if _MANAGERS[manager].fullmatch(program))
        basis = Basis.STATED if running else Basis.POSSIBLE
        whether = f"{', '.join(running)} starts at boot or by a timer" if running else "nothing that was read runs it"
        for node in evidence.tree.glob(place):
            for number, line in evidence.tree.lines(node.path):
                for url in () if _COMMENT.match(line) else _URL.findall(line):
                    text = f"{manager} fetches packages from {url}; {whether}"
                    yield Fact(Topic.ENDPOINTS, basis, text, node.path, number)


def _urls(evidence: Evidence, told: set[str]) -> Iterator[Fact]:
    """Yield each host once, with the first place that names it."""
    seen: set[tuple[str, str]] = set()
    for node, text in evidence.configuration:
        if node.path in told or node.path == TRUST:
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if "://" not in line or _COMMENT.match(line) or _DOCUMENTATION.match(line):
                continue
            for url in _URL.findall(line):
                host = _host(url)
                if host and host not in seen:
                    seen.add(host)
                    yield Fact(Topic.ENDPOINTS, Basis.POSSIBLE, f"a file names {url}", node.path, number)


def _host(url: str) -> tuple[str, str] | None:
    try:
        parts = urlsplit(url)
        return (parts.scheme.lower(), (parts.netloc or "").rpartition("@")[2].lower())
    except ValueError:  # brackets that enclose no address
        return None
