# SPDX-License-Identifier: Apache-2.0
"""Which disks and partitions are mounted, which of them are written, and what lies on the image's own disk."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.imaging.audit.systemd.unit_file import Unit
from strongroom.imaging.host_report.evidence import Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic
from strongroom.imaging.host_report.unit_values import value, values
from strongroom.measure.disk_layout import DiskLayout

_IN_MEMORY = frozenset({"tmpfs", "ramfs", "proc", "sysfs", "devpts", "devtmpfs", "cgroup2", "mqueue", "hugetlbfs"})
_IN_MEMORY |= {"debugfs", "tracefs", "configfs", "fusectl", "bpf", "securityfs", "efivarfs", "binfmt_misc", "autofs"}
_FSTAB_FIELDS = 4
_GROWING = ("systemd-growfs", "systemd-repart", "growpart", "resize2fs", "xfs_growfs")


def storage(evidence: Evidence) -> Iterator[Fact]:
    """Yield the partitions of the image, then what mounts, encrypts, swaps or changes disks at run time."""
    if evidence.subject.disk is not None:
        yield from _partitions(evidence.subject.disk)
    yield from _command_line(evidence)
    yield from _table(evidence, "/etc/fstab", "mounts")
    yield from _table(evidence, "/etc/crypttab", "opens the encrypted volume")
    for kind in ("mount", "swap"):
        for unit in evidence.units(kind):
            yield from _of_unit(unit)
    yield from _changes(evidence)


def _changes(evidence: Evidence) -> Iterator[Fact]:
    for folder in ("/usr/lib/repart.d", "/etc/repart.d"):
        for node in evidence.tree.glob(f"{folder}/*.conf"):
            yield Fact(Topic.STORAGE, Basis.POSSIBLE, "systemd-repart would make or grow a partition", node.path)
    for unit in evidence.units("service"):
        commands = " ".join(setting.value for setting in values(unit, "ExecStart"))
        for name in (name for name in _GROWING if name in commands):
            yield Fact(Topic.STORAGE, Basis.STATED, f"{unit.name} runs {name}, which changes disks", unit.path)


def _partitions(disk: DiskLayout) -> Iterator[Fact]:
    for partition in (each for each in disk.partitions if each.number):
        text = f"{partition}: {partition.words}, {partition.size_bytes / (1 << 20):,.0f} MiB"
        yield Fact(Topic.STORAGE, Basis.STATED, text)


def _command_line(evidence: Evidence) -> Iterator[Fact]:
    subject = evidence.subject
    if subject.command_line is None:
        return
    words = {key for key, _ in subject.arguments}
    if "ro" in words and words & {"roothash", "usrhash"}:
        text = "the root is read-only, and every block of it is checked against the hash in the command line"
        yield Fact(Topic.STORAGE, Basis.STATED, text)
    volatile = evidence.systemd_words("volatile")
    if volatile:
        kept = {"state": "/var is", "overlay": "what is written to the root is", "yes": "everything but /usr is"}
        text = f"{kept.get(volatile[-1] or 'yes', 'something is')} in memory (systemd.volatile={volatile[-1]})"
        yield Fact(Topic.STORAGE, Basis.STATED, f"{text}, and gone when the instance stops")
    if {"0", "no", "false"}.intersection(map(str, evidence.systemd_words("gpt_auto")[-1:])):
        text = "no partition is mounted for its type alone (systemd.gpt_auto=0)"
        yield Fact(Topic.STORAGE, Basis.RULED_OUT, text)
    else:
        text = "partitions are mounted for their types alone, also ones that were added (systemd.gpt_auto is not 0)"
        yield Fact(Topic.STORAGE, Basis.POSSIBLE, text)


def _table(evidence: Evidence, path: str, verb: str) -> Iterator[Fact]:
    for number, line in evidence.tree.lines(path):
        fields = line.split()
        if not fields or line.lstrip().startswith("#"):
            continue
        if path == "/etc/fstab" and (len(fields) < _FSTAB_FIELDS or fields[2] in _IN_MEMORY):
            continue
        yield Fact(Topic.STORAGE, Basis.STATED, f"{verb} {' '.join(fields[:4])}", path, number)


def _of_unit(unit: Unit) -> Iterator[Fact]:
    what = value(unit, "What")
    if what and value(unit, "Type") not in _IN_MEMORY and what not in _IN_MEMORY:
        where = value(unit, "Where")
        text = f"{unit.name} mounts {what} at {where}" if where else f"{unit.name} swaps to {what}"
        options = value(unit, "Options")
        yield Fact(Topic.STORAGE, Basis.STATED, f"{text} ({options})" if options else text, unit.path)
