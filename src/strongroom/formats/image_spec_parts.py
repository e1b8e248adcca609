# SPDX-License-Identifier: Apache-2.0
"""The tables of an image's specification that are about how it boots and what it opens (docs/formats/image-spec.md)."""

from __future__ import annotations

import re

from strongroom.formats.agent_config import BundleOrigin, agent_config_of
from strongroom.formats.image_spec_model import SpecAgent, SpecKernel, SpecSecureBoot, SpecState
from strongroom.formats.tree import Node

_ARGUMENT = re.compile(r"(?P<key>[A-Za-z0-9_][A-Za-z0-9_.-]{0,126})(?:=[A-Za-z0-9_.,:/+@=%-]{0,512})?")
"""A word without spaces and quotes: the kernel, systemd and the initrd split those differently."""
_MODULE = re.compile(r"[A-Za-z0-9_-]{1,64}")
RESERVED_ARGUMENTS = (
    *("root", "roothash", "rootflags", "rootfstype", "usrhash", "ro", "rw", "init", "rdinit", "initrd"),
    *(
        "panic",
        "lockdown",
        "nohibernate",
        "resume",
        "efi",
        "rescue",
        "emergency",
        "single",
        "debug",
        "sysrq_always_enabled",
    ),
    *("console", "module.sig_enforce", "lsm", "security", "kgdboc", "kgdbwait", "crashkernel"),
)
"""Arguments that decide what boots or who gets in: the image's layout sets them, or nobody does."""
RESERVED_PREFIXES = ("systemd.", "rd.", "SYSTEMD_")
_MAX_STATE_MIB = 1 << 20


def kernel_of(node: Node | None) -> SpecKernel:
    """Return `[kernel]`. Raises FormatError for an argument that the layout of an image sets itself."""
    members = {} if node is None else node.record((), ("arguments", "modules"))
    arguments = members["arguments"].items(maximum=64) if "arguments" in members else ()
    modules = members["modules"].items(maximum=64) if "modules" in members else ()
    return SpecKernel(
        arguments=tuple(_argument(each) for each in arguments),
        modules=tuple(each.text(_MODULE, wanted="the name of a kernel module") for each in modules),
    )


def _argument(node: Node) -> str:
    text = node.text(_ARGUMENT, wanted="one kernel argument of plain characters, without spaces and quotes")
    key = text.partition("=")[0]
    if key.replace("-", "_") in RESERVED_ARGUMENTS or key.startswith(RESERVED_PREFIXES):
        raise node.refused(
            "image-spec.reserved-argument",
            f"expected an argument that an image may choose, found {key!r}",
            remedy="How an image boots, and that nobody gets in on the way, is the same in every image. "
            "docs/formats/image-spec.md lists what each has on its command line.",
        )
    return text


def agent_of(node: Node) -> SpecAgent:
    """Return `[agent]`. Raises FormatError."""
    members = node.record(("bundles-from", "bundles"), ("trust", "bundle-folder"))
    config = agent_config_of(members["bundles-from"], members["bundles"])
    from_image = config.origin is BundleOrigin.IMAGE
    if from_image and "bundle-folder" not in members:
        raise node.refused(
            "image-spec.no-bundle-folder",
            "expected the key 'bundle-folder', the folder of the bundles that go into the image, found none",
        )
    if not from_image and "bundle-folder" in members:
        raise members["bundle-folder"].refused(
            "image-spec.bundle-folder",
            "expected no folder of bundles in an image that fetches them",
            remedy='Set bundles-from = "image", or leave the folder out.',
        )
    return SpecAgent(
        config=config,
        trust=members["trust"].text() if "trust" in members else None,
        bundles=members["bundle-folder"].text() if from_image else None,
    )


def state_of(node: Node) -> SpecState:
    """Return `[state]`. Raises FormatError."""
    return SpecState(node.record(("size-mib",))["size-mib"].integer(16, _MAX_STATE_MIB))


def secure_boot_of(node: Node) -> SpecSecureBoot:
    """Return `[secure-boot]`. Raises FormatError."""
    members = node.record(("key", "certificate"), ("pk", "kek", "db"))
    certificate = members["certificate"].text()
    lists = {
        key: tuple(each.text() for each in members[key].items(minimum=1, maximum=16))
        if key in members
        else (certificate,)
        for key in ("kek", "db")
    }
    return SpecSecureBoot(
        key=members["key"].text(),
        certificate=certificate,
        pk=members["pk"].text() if "pk" in members else certificate,
        kek=lists["kek"],
        db=lists["db"],
    )
