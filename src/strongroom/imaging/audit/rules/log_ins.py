# SPDX-License-Identifier: Apache-2.0
"""Rules on accounts: passwords, keys for log-in, who becomes root."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.imaging.audit.accounts import accounts
from strongroom.imaging.audit.pam import opened_by, services
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Subject

_KEY_FILES = (
    *("/root/.ssh/authorized_keys*", "/home/*/.ssh/authorized_keys*", "/etc/ssh/authorized_keys*"),
    *("/etc/ssh/authorized_keys/*", "/etc/dropbear/authorized_keys", "/var/lib/*/.ssh/authorized_keys*"),
)
_SUDOERS = ("/etc/sudoers", "/etc/sudoers.d/*")


def _empty(subject: Subject) -> Iterator[Fault]:
    for account in accounts(subject.files):
        if account.needs_no_password:
            yield Fault(account.path, f"expected no empty password, found one of {account.name}", line=account.line)


def _passwords(subject: Subject) -> Iterator[Fault]:
    for account in accounts(subject.files):
        if account.has_password:
            yield Fault(account.path, f"expected no password, found one of {account.name}", line=account.line)


def _second_root(subject: Subject) -> Iterator[Fault]:
    for account in accounts(subject.files):
        if account.name != "root" and account.uid.isdigit() and int(account.uid) == 0:
            yield Fault("/etc/passwd", f"expected root alone to have user id 0, found {account.name}")


def _keys(subject: Subject) -> Iterator[Fault]:
    for pattern in _KEY_FILES:
        for node in subject.files.glob(pattern):
            if any(line.strip() and not line.lstrip().startswith("#") for _, line in subject.files.lines(node.path)):
                yield Fault(node.path, "expected no key for log-in, found one")


def _sudo(subject: Subject) -> Iterator[Fault]:
    for pattern in _SUDOERS:
        for node in subject.files.glob(pattern):
            for number, line in subject.files.lines(node.path):
                if "NOPASSWD" in line and not line.lstrip().startswith("#"):
                    yield Fault(node.path, f"expected nobody to become root unasked, found {line.strip()}", line=number)


def _pam(subject: Subject) -> Iterator[Fault]:
    for service in services(subject.files):
        line = opened_by(subject.files, service)
        if line is not None:
            yield Fault(
                line.path,
                f"expected {service} to ask who somebody is, found that {line.module} is enough",
                line=line.line,
            )


RULES = (
    Rule(
        code="audit.empty-password",
        severity=Severity.ERROR,
        title="An account has an empty password",
        why="Everybody who finds a prompt is in, and every process of the image becomes that account with su (B13).",
        fix="Lock the account: `*` or `!` in its second field of /etc/shadow.",
        attacks=("B13",),
        check=_empty,
    ),
    Rule(
        code="audit.password",
        severity=Severity.WARNING,
        title="An account has a password",
        why="Everybody who has the image guesses it offline, and it is the same on every instance. Where a prompt "
        "waits, audit.log-in says so (B13).",
        fix="Lock the account: `*` or `!` in its second field of /etc/shadow.",
        attacks=("B13",),
        check=_passwords,
    ),
    Rule(
        code="audit.second-root",
        severity=Severity.ERROR,
        title="Another account is root",
        why="It has all of root's rights under a name that nobody looks for (B14).",
        fix="Remove the account, or give it a user id of its own.",
        attacks=("B14",),
        check=_second_root,
    ),
    Rule(
        code="audit.login-key",
        severity=Severity.WARNING,
        title="A key for log-in is in the image",
        why="Whoever has the other half is inside as soon as a server for log-in runs; audit.remote-shell says whether "
        "one does (B14).",
        fix="Remove the file.",
        attacks=("B14",),
        check=_keys,
    ),
    Rule(
        code="audit.sudo",
        severity=Severity.WARNING,
        title="An account becomes root without a password",
        why="One hole in a program of that account is then a hole in everything (B14).",
        fix="Remove the line with NOPASSWD, or sudo.",
        attacks=("B14",),
        check=_sudo,
    ),
    Rule(
        code="audit.pam",
        severity=Severity.ERROR,
        title="PAM lets everybody in",
        why="A service whose stack succeeds although every check of it fails takes any password (B14).",
        fix="Let pam_permit.so stand only where the lines before it have refused already, as in Debian's common-auth.",
        attacks=("B14",),
        check=_pam,
    ),
)
