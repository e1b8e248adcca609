# SPDX-License-Identifier: Apache-2.0
"""What a root file system says about the image that it is the root of: its kernel, its initrd, whom it trusts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from strongroom.errors import FormatError
from strongroom.formats.trust import MAX_BYTES, Trust, parse_trust
from strongroom.imaging.audit.scratch import Scratch
from strongroom.imaging.audit.subject import TRUST, Part, Problem, Subject
from strongroom.imaging.tree.initrd import initrd_tree
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree

_CONFIGS = ("/usr/lib/modules/*/config", "/lib/modules/*/config", "/boot/config-*")
_INITRDS = ("/boot/initrd.img-*", "/boot/initramfs-*.img", "/boot/initrd-*")
_OPTION = re.compile(r"(CONFIG_\w+)=(\"?)(.*)\2")
_MAX_CONFIG_BYTES = 4 << 20


def with_what_is_inside(subject: Subject, scratch: Scratch) -> Subject:
    """Return the subject with the parts that lie in its root file system.

    An initrd in /boot is looked at where there is no UKI, the last by name; and of kernel configurations the one of the
    UKI's kernel, or the last.
    """
    tree = subject.tree
    if tree is None:
        return subject
    subject = replace(_with_kernel_config(subject, tree), trust=_trust(tree))
    initrds = [*_files(tree, _INITRDS)]
    if subject.uki is not None or not initrds:
        return subject
    try:
        return replace(subject, initrd=initrd_tree(tree.view(initrds[-1].path), scratch.folder()))
    except FormatError as error:
        problem = Problem(Part.INITRD, f"{initrds[-1]}: {error} ({error.code})")
        return replace(subject, problems=(*subject.problems, problem))


def _with_kernel_config(subject: Subject, tree: Tree) -> Subject:
    try:
        return replace(subject, kernel_config=_kernel_config(tree, _kernel_version(subject)))
    except FormatError as error:
        problem = Problem(Part.KERNEL_CONFIG, f"{error} ({error.code})")
        return replace(subject, problems=(*subject.problems, problem))


def _kernel_version(subject: Subject) -> str:
    uname = subject.uki.section(".uname") if subject.uki else None
    return bytes(uname or b"").rstrip(b"\0\n").decode("utf-8", "replace")


def _kernel_config(tree: Tree, version: str) -> Mapping[str, str] | None:
    found = [*_files(tree, _CONFIGS)]
    of_kernel = [node for node in found if version and version in node.path]
    if not found:
        return None
    text = tree.read((of_kernel or found)[-1].path, maximum_bytes=_MAX_CONFIG_BYTES).decode("utf-8", "replace")
    options = (_OPTION.fullmatch(line) for line in text.splitlines())
    return {option[1]: option[3] for option in options if option}


def _trust(tree: Tree) -> Trust | None:
    try:
        return parse_trust(tree.read(TRUST, maximum_bytes=MAX_BYTES))
    except FormatError:  # there is none, or it is broken: audit.no-trust says so
        return None


def _files(tree: Tree, patterns: tuple[str, ...]) -> Iterator[Node]:
    found = {node.path: node for pattern in patterns for node in tree.glob(pattern)}
    for path in sorted(found):
        target = tree.resolve(path)
        if target is not None and target.is_file:
            yield found[path]
