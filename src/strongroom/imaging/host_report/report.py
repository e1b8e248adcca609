# SPDX-License-Identifier: Apache-2.0
"""The report: every statement about an image, and what its files cannot say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import FormatError
from strongroom.formats.partition import Profile
from strongroom.imaging.apt import Progress
from strongroom.imaging.audit.opening import open_subject
from strongroom.imaging.audit.scratch import room_in_memory, scratch_space
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.host_report.endpoints import endpoints
from strongroom.imaging.host_report.evidence import Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic
from strongroom.imaging.host_report.listeners import listeners
from strongroom.imaging.host_report.metadata import metadata
from strongroom.imaging.host_report.output import output
from strongroom.imaging.host_report.permissions import permissions
from strongroom.imaging.host_report.programs import programs
from strongroom.imaging.host_report.stopping import stopping
from strongroom.imaging.host_report.storage import storage
from strongroom.imaging.host_report.users import users

_SECTIONS: dict[Topic, Callable[[Evidence], Iterator[Fact]]] = {
    Topic.PROGRAMS: programs,
    Topic.LISTENERS: listeners,
    Topic.ENDPOINTS: endpoints,
    Topic.PERMISSIONS: permissions,
    Topic.METADATA: metadata,
    Topic.STORAGE: storage,
    Topic.OUTPUT: output,
    Topic.USERS: users,
    Topic.STOPPING: stopping,
}

CANNOT_KNOW = (
    (
        "What programs do while they run: addresses that they compute, ports that they open, what they send. Security "
        "groups, routes and VPC endpoints decide what gets through; VPC flow logs and CloudTrail show what they did."
    ),
    (
        "What the vendor's bundles bring: they are encrypted, arrive at run time, and may hold code or configuration, "
        "which the programs above then run or read, under the same limits."
    ),
    ("What starts other than by unit files: generators that are not systemd's, D-Bus, programs that start others."),
    "Which permissions the instance has: its role is yours to write. Give it what stands above, and no more.",
    (
        "Whether what was read is what runs: `strongroom measure` computes what the TPM will hold, and a document of "
        "the running instance, checked with `strongroom verify`, says what it booted."
    ),
)
"""What no file says. Shown with every report."""


@dataclass(frozen=True, slots=True)
class HostReport:
    """What an image can do to the account that runs it."""

    facts: tuple[Fact, ...]
    unread: tuple[str, ...]
    """Parts that were not there to be read, and sections that could not be read to their end, in words."""

    def about(self, topic: Topic) -> tuple[Fact, ...]:
        """Return the statements about one topic: what is stated first, what is ruled out last."""
        order = tuple(Basis)
        mine = (fact for fact in self.facts if fact.topic is topic)
        return tuple(sorted(mine, key=lambda fact: order.index(fact.basis)))


def host_report_of(image: Path, *, profile: Profile, cache: Path | None, progress: Progress) -> HostReport:
    """Read a raw disk, a file system, a folder, a tar file or an OCI layout. Raises as `audit_image`."""
    with scratch_space(room_in_memory(image), cache=cache, progress=progress) as space:
        return host_report(open_subject(image, profile, space))


def host_report(subject: Subject) -> HostReport:
    """Read an image for its host. Raises FormatError for one without a root file system: nothing could be said."""
    if subject.tree is None:
        raise FormatError(
            "host-report.no-tree",
            "expected an image with a root file system that can be read, found none",
            remedy="Give the raw disk, or the root tree; a unified kernel image alone holds the least of it.",
        )
    evidence = Evidence(subject)
    facts: list[Fact] = []
    unread = [f"the {part.value}" for part in (Part.COMMAND_LINE, Part.DISK, Part.INITRD) if not subject.has(part)]
    unread += [f"the {problem.part.value}: {problem.message}" for problem in subject.problems]
    for topic, section in _SECTIONS.items():
        try:
            facts.extend(section(evidence))
        except FormatError as error:
            unread.append(f"everything about {topic.value}: {error}")
    return HostReport(tuple(facts), tuple(unread))
