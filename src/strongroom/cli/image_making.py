# SPDX-License-Identifier: Apache-2.0
"""Makes the output folder of an image, whole or not at all, for `image build` and `image rebuild`."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from strongroom.cli.cache_folder import cache_folder
from strongroom.cli.image_inputs import agent_settings, read_content
from strongroom.cli.image_signing import signing_of
from strongroom.errors import LocalFault, StrongroomError
from strongroom.flows.files import PUBLIC_MODE, read_file, write_file
from strongroom.formats import strict_json
from strongroom.formats.image_spec import MAX_BYTES, parse_image_spec
from strongroom.formats.image_spec_model import DEBUG
from strongroom.formats.partition import Profile
from strongroom.imaging.apt import Progress
from strongroom.imaging.audit.report import Report, audit_image
from strongroom.imaging.build.order import Order
from strongroom.imaging.build.papers import DISK_NAME, papers
from strongroom.imaging.build.pipeline import build_image
from strongroom.imaging.build.workshop import DEFAULT_EPOCH, Workshop

AUDIT_NAME, LOG_NAME = "audit.json", "build.log"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line said."""

    spec: Path
    output: Path
    target: str | None
    project: Path
    debug: bool


@dataclass(frozen=True, slots=True)
class Made:
    """An output folder, and what the audit of its disk found."""

    output: Path
    order: Order
    report: Report


def make_image(wanted: Wanted, *, progress: Progress) -> Made:
    """Build an image into `wanted.output`, which is not there yet and appears at the end, with everything in it.

    Raises what building raises; then the log lies beside the output's name. A production image that fails the audit is
    left there, too, under another name, and LocalFault says so.
    """
    _expect_free(wanted.output)
    data = read_file(wanted.spec, maximum_bytes=MAX_BYTES)
    order = _order(wanted, data)
    with _folder_beside(wanted.output) as scratch:
        result, folder = scratch / "result", scratch / "work"
        result.mkdir()
        folder.mkdir()
        workshop = Workshop(folder, result / LOG_NAME, DEFAULT_EPOCH, progress)
        try:
            built = build_image(order, disk=result / DISK_NAME, workshop=workshop, cache=cache_folder())
            written = papers(order, built, data, disk=result / DISK_NAME, epoch=workshop.epoch)
        except StrongroomError as error:
            raise _with_log(error, workshop.log, wanted.output) from error
        for name, contents in written.items():
            write_file(result / name, contents, mode=PUBLIC_MODE)
        progress("auditing it")
        report = _audit(order, result / DISK_NAME)
        write_file(result / AUDIT_NAME, strict_json.encode(report.members()), mode=PUBLIC_MODE)
        result.rename(wanted.output)
    return Made(wanted.output, order, report)


def _order(wanted: Wanted, data: bytes) -> Order:
    spec, folder = parse_image_spec(data, name=wanted.spec.name), wanted.spec.parent
    settings = agent_settings(spec, folder, target=wanted.target, project=wanted.project)
    profile = settings.trust.profile if settings else Profile.PRODUCTION
    return Order(
        spec=spec,
        folder=folder,
        variant=DEBUG if wanted.debug else profile.value,
        agent=settings,
        read=lambda content: read_content(content, folder),
        signing=signing_of(spec, folder),
    )


def _audit(order: Order, disk: Path) -> Report:
    profile = Profile.REHEARSAL if order.variant == Profile.REHEARSAL.value else Profile.PRODUCTION
    return audit_image(disk, profile=profile, today=datetime.now(UTC).date(), cache=cache_folder(), name=DISK_NAME)


def _expect_free(output: Path) -> None:
    if output.exists():
        raise LocalFault(
            "image.output-exists",
            f"expected nothing at {output}, found something: no build writes over another",
            remedy="Name another folder, or move this one away.",
        )


@contextmanager
def _folder_beside(output: Path) -> Iterator[Path]:
    """Give a folder on the same file system, gone at the end: what is done is renamed out of it."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as folder:
            yield Path(folder).absolute()
    except OSError as error:
        raise LocalFault("image.unwritable", f"cannot write {output}: {error.strerror}") from error


def _with_log(error: StrongroomError, log: Path, output: Path) -> StrongroomError:
    """Keep the log of a build that failed beside the name of its output, and say where it is."""
    if log.is_file():
        kept = output.with_name(f"{output.name}.log")
        shutil.copyfile(log, kept)
        error.remedy = error.remedy.replace(str(log), str(kept)) or f"Its log: {kept}"
    return error
