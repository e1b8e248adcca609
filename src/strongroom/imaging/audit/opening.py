# SPDX-License-Identifier: Apache-2.0
"""Find the parts of what is to be audited: a raw disk, a UKI, a file system, a folder, a tar file, an OCI layout.

What makes no sense as a whole (a broken partition table, a file of another kind) is a FormatError. A part that cannot
be read is a problem of the subject: the other parts are audited, and the audit does not pass.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from strongroom.errors import FormatError
from strongroom.formats.file_kind import HEAD_BYTES, FileKind, guess_kind, looks_like
from strongroom.formats.partition import Profile
from strongroom.formats.uki import parse_uki
from strongroom.imaging.audit.inside import with_what_is_inside
from strongroom.imaging.audit.root_file_system import find_root
from strongroom.imaging.audit.scratch import Scratch
from strongroom.imaging.audit.subject import Part, Problem, Subject
from strongroom.imaging.tree.archives import tar_tree
from strongroom.imaging.tree.compression import Room, is_compressed, unpack
from strongroom.imaging.tree.file_systems import file_system_tree
from strongroom.imaging.tree.folder import file_contents, folder_tree
from strongroom.imaging.tree.initrd import initrd_tree
from strongroom.imaging.tree.kinds import guess_file_system
from strongroom.imaging.tree.oci import is_oci_layout, oci_tree
from strongroom.measure.disk import boot_file
from strongroom.measure.disk_layout import parse_disk

MAX_TAR_BYTES = 32 << 30
"""Of a compressed tar file, unpacked."""
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257
_CONTAINERS = {FileKind.QCOW2: "qcow2", FileKind.VMDK: "vmdk", FileKind.VHDX: "vhdx", FileKind.VHD: "vpc"}


def open_subject(path: Path, profile: Profile, scratch: Scratch) -> Subject:
    """Return the parts of an image or a tree.

    They may be looked at as long as `scratch` is there. Raises FormatError for what is none or is broken as a whole,
    LocalFault for what cannot be read, or where a program is missing.
    """
    subject = Subject(profile)
    if path.is_dir():
        tree = oci_tree(path, scratch.folder()) if is_oci_layout(path) else folder_tree(path)
        return with_what_is_inside(replace(subject, tree=tree), scratch)
    data = file_contents(path.resolve())
    return with_what_is_inside(_open_file(path, data, subject, scratch), scratch)


def _open_file(path: Path, data: memoryview, subject: Subject, scratch: Scratch) -> Subject:
    kind = guess_file_system(data)
    if kind is not None:
        return replace(
            subject, tree=file_system_tree(data, kind, lambda _: path.resolve(), scratch.folder, linux=scratch.linux)
        )
    head = bytes(data[:HEAD_BYTES])
    if guess_kind(head) is FileKind.EFI_IMAGE:
        return _with_uki(subject, data, scratch)
    if guess_kind(head) is FileKind.DISK:
        return _open_disk(subject, data, scratch)
    if is_compressed(data):
        data, _ = unpack(data, Room(MAX_TAR_BYTES), scratch.folder())
    if bytes(data[_TAR_MARK_AT : _TAR_MARK_AT + len(_TAR_MARK)]) == _TAR_MARK:
        return replace(subject, tree=tar_tree(data))
    container = _CONTAINERS.get(guess_kind(head))
    raise FormatError(
        "audit.not-an-image",
        "expected a raw disk image, a unified kernel image, a file system, a tar file, a folder or an OCI layout, "
        f"found {looks_like(head)}",
        remedy=f"Make a raw disk image of it: qemu-img convert -f {container} -O raw" if container else "",
    )


def _open_disk(subject: Subject, disk: memoryview, scratch: Scratch) -> Subject:
    layout = parse_disk(disk)
    subject = replace(subject, disk=layout)
    try:
        boot = boot_file(disk, layout)
        subject = _with_uki(replace(subject, boot=boot), memoryview(boot.image), scratch)
    except FormatError as error:
        subject = _with_problem(subject, Part.UKI, error)
    try:
        root = find_root(disk, layout, subject.uki.root_hash if subject.uki else "", scratch)
    except FormatError as error:
        return _with_problem(subject, Part.TREE, error)
    return replace(subject, tree=root.tree, root_hash=root.root_hash)


def _with_uki(subject: Subject, image: memoryview, scratch: Scratch) -> Subject:
    uki = parse_uki(image)
    subject = replace(subject, uki=uki, command_line=uki.command_line)
    initrd = uki.section(".initrd")
    if initrd is None:
        return subject
    try:
        return replace(subject, initrd=initrd_tree(initrd, scratch.folder()))
    except FormatError as error:
        return _with_problem(subject, Part.INITRD, error)


def _with_problem(subject: Subject, part: Part, error: FormatError) -> Subject:
    return replace(subject, problems=(*subject.problems, Problem(part, f"{error} ({error.code})")))
