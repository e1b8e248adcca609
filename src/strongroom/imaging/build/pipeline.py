# SPDX-License-Identifier: Apache-2.0
"""`build_image`: from a specification to the files of an output folder.

 1. a tree, what of it boots, and the agent's code                              foundation, bootstrap
 2. the tree with what the specification and the agent add                      composition
 3. the tree as a file system under dm-verity                                   filesystems
 4. the initrd that opens it, and all that boots in one program, signed or not  initrd, image
 5. the disk                                                                    disk

What is to be known of the result is written by `papers`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from strongroom.imaging.build.composition import Plan, compose, os_release
from strongroom.imaging.build.disk import make_disk
from strongroom.imaging.build.filesystems import make_root
from strongroom.imaging.build.foundation import Foundation, lay_foundation
from strongroom.imaging.build.image import assemble, command_line, compress
from strongroom.imaging.build.initrd import build_initrd
from strongroom.imaging.build.order import Order
from strongroom.imaging.build.workshop import Workshop, expect_programs
from strongroom.imaging.secure_boot import expect_bootable, sign_image
from strongroom.imaging.tree.tree import Tree


@dataclass(frozen=True, slots=True)
class Built:
    """What came of it. The disk is where the caller wanted it."""

    image: bytes = field(repr=False)
    root: Tree = field(repr=False)
    """The tree of the root, as long as the workshop's folder and the cache are there."""
    foundation: Foundation


def build_image(order: Order, *, disk: Path, workshop: Workshop, cache: Path) -> Built:
    """Build an image; its disk is written to `disk`, which is not there yet.

    Raises UsageError for what this host or this version cannot build, LocalFault for a step that fails or a program
    that is missing, ServiceFault for mirrors and indexes that cannot be reached, FormatError for a specification that
    does not fit its base, and what the signer raises.
    """
    spec = order.spec
    expect_programs()
    found = lay_foundation(order, workshop, cache=cache)  # step 1
    plan = Plan(
        spec=spec,
        variant=order.variant,
        agent=found.agent,
        files=_kernel_files(found),
        read=order.read,
        epoch=workshop.epoch,
        kept_byte_code=found.byte_code,
    )
    root = compose(found.tree, plan)  # step 2
    workshop.progress("writing the root file system")
    verity = make_root(root, spec.name, workshop)  # step 3
    workshop.progress("assembling what boots")
    initrd = compress(build_initrd(found.tree, found.parts.busybox, found.parts.modules), workshop)
    line = command_line(verity.root_hash, spec.kernel.arguments)
    image = assemble(found.parts, os_release(found.tree, plan), line, initrd)  # step 4
    if order.signing is not None:
        image = sign_image(image, order.signing.signer)
        expect_bootable(image, order.signing.keys)
    workshop.progress("writing the disk")
    state_mib = spec.state.size_mib if spec.state else 0
    make_disk(image, verity, spec.name, state_mib=state_mib, destination=disk, workshop=workshop)  # step 5
    return Built(image, root, found)


def _kernel_files(found: Foundation) -> dict[str, bytes]:
    """Return the kernel's configuration, by the path at which audits look for it."""
    parts = found.parts
    return {f"/usr/lib/modules/{parts.release}/config": parts.config} if parts.config else {}
