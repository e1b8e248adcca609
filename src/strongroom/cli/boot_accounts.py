# SPDX-License-Identifier: Apache-2.0
"""What `strongroom explain` was given: files read into accounts of a boot, and the two of them to compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict

from strongroom.appraisal.endorsements import NitroRoots
from strongroom.appraisal.evidence import AT_DOCUMENT_TIME, verify_evidence
from strongroom.cli.image_file import read_image_file
from strongroom.cli.paths import named
from strongroom.cli.policy_file import read_measurements_file
from strongroom.cli.verify_console import console_notices, expect_own_console, read_presented
from strongroom.errors import FormatError, UsageError
from strongroom.flows.files import read_file
from strongroom.formats.event_log import MAX_LOG_BYTES, EventLog, parse_event_log
from strongroom.formats.file_kind import HEAD_BYTES, FileKind, guess_kind, looks_like
from strongroom.measure.compare_log import compare_log
from strongroom.measure.explain.account import (
    BootAccount,
    account_of_document,
    account_of_image,
    account_of_log,
    account_of_measurements,
    is_image_of,
    with_image,
    with_image_that_booted,
    with_log,
)
from strongroom.measure.secure_boot import SecureBootKeys

_WHERE_LOGS_ARE = "Copy it from the machine: /sys/kernel/security/tpm0/binary_bios_measurements."


class Sources(TypedDict):
    """The files of `strongroom explain`, as click hands them over."""

    measurements: tuple[Path, ...]
    image: tuple[Path, ...]
    document: tuple[Path, ...]
    event_log: tuple[Path, ...]


def read_accounts(
    sources: Sources, *, roots: NitroRoots, secure_boot: SecureBootKeys | None
) -> tuple[BootAccount, BootAccount]:
    """Return the reference, and what was seen.

    What was predicted is the reference to what was recorded. Where all is of one side, the first is the reference.
    Documents are verified, as of their own time. Raises UsageError where that makes no pair.
    """
    images = [_image(path, secure_boot) for path in sources["image"]]
    files = [_measurements(path) for path in sources["measurements"]]
    documents = [read_document(path, roots) for path in sources["document"]]
    logs = [read_log(path) for path in sources["event_log"]]
    predicted, recorded = [*files, *images], [*documents, *(log.account for log in logs)]
    if predicted and recorded:
        _expect_one_each(files, images)
        _expect_one_each(documents, logs)
        return _with_images(files, images, _recorded(documents, logs))
    return _pair(predicted or recorded)


@dataclass(frozen=True, slots=True)
class Log:
    """An event log, and what it tells."""

    log: EventLog
    account: BootAccount


def _with_images(
    files: Sequence[BootAccount], images: Sequence[BootAccount], recorded: BootAccount
) -> tuple[BootAccount, BootAccount]:
    """Return what was predicted and what was recorded. An image beside a file tells of the side that has its PCR 4."""
    if not (files and images):
        return (*files, *images)[0], recorded
    if is_image_of(images[0], files[0]) or not is_image_of(images[0], recorded):
        return with_image(files[0], images[0], recorded=recorded.name), recorded
    return files[0], with_image_that_booted(recorded, images[0])


def _recorded(documents: Sequence[BootAccount], logs: Sequence[Log]) -> BootAccount:
    """Return the one account of what was recorded: of a document, of a log, or of both."""
    if not documents:
        return logs[0].account
    return _document_with_log(documents[0], logs[0]) if logs else documents[0]


def _expect_one_each(*kinds: Sequence[object]) -> None:
    if any(len(kind) > 1 for kind in kinds):
        raise _no_pair()


def _document_with_log(document: BootAccount, log: Log) -> BootAccount:
    """Return both in one, and say in which PCRs the log is none of this document."""
    compared = compare_log(log.log, document.pcrs)
    joined = with_log(document, log.account)
    if not compared.wrong:
        return joined
    listed = ", ".join(map(str, compared.wrong))
    note = f"{log.account.name} leads to other values than {document.name} in PCR {listed}: it is not used there"
    return replace(joined, notes=(*joined.notes, note))


def _pair(accounts: Sequence[BootAccount]) -> tuple[BootAccount, BootAccount]:
    if len(accounts) != 2:  # noqa: PLR2004 -- a pair
        raise _no_pair()
    return accounts[0], accounts[1]


def _no_pair() -> UsageError:
    return UsageError(
        "explain.no-pair",
        "expected two accounts of a boot: measurements or an image, against a document or an event log; or two of a "
        "kind; or a document and its log. With both sides given, at most one file of each kind",
        remedy="Example: strongroom explain --measurements pcr_measurements.json --document document.cbor",
    )


def _image(path: Path, secure_boot: SecureBootKeys | None) -> BootAccount:
    found = read_image_file(path)
    with found.named():
        account = account_of_image(f"the image {path.name}", found.image, secure_boot=secure_boot)
    return replace(account, notes=tuple(finding.message for finding in found.findings))


def _measurements(path: Path) -> BootAccount:
    return account_of_measurements(f"the measurements {path.name}", read_measurements_file(path))


def read_document(path: Path, roots: NitroRoots) -> BootAccount:
    """Return what an attestation document tells, verified as of its own time. Raises as `verify_evidence`."""
    with named(path):
        presented = read_presented(path)
        evidence = verify_evidence(presented.evidence, roots=roots, at=AT_DOCUMENT_TIME)
    expect_own_console(presented, evidence)
    account = account_of_document(f"the document {path.name}", evidence.pcrs)
    notices = (finding.message for finding in console_notices(presented, evidence))
    return replace(account, notes=(*presented.lines, *notices))


def read_log(path: Path) -> Log:
    """Return an event log and what it tells. Raises FormatError for what is none, or has no SHA-384 bank."""
    with named(path, missing=_WHERE_LOGS_ARE):
        data = read_file(path, maximum_bytes=MAX_LOG_BYTES)
    head = data[:HEAD_BYTES]
    if guess_kind(head) not in {FileKind.EVENT_LOG, FileKind.UNKNOWN}:
        raise FormatError("explain.not-a-log", f"expected a TCG event log in {path}, found {looks_like(head)}")
    with named(path):
        log = parse_event_log(data)
    return Log(log, account_of_log(f"the event log {path.name}", log))
