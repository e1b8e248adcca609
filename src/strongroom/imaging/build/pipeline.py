# SPDX-License-Identifier: Apache-2.0
"""`build_image`: from a specification to the files of an output folder.

1. Debian's packages into a tree, from the cache where nothing is new          bootstrap
2. what boots out of the kernel's packages                                     image
3. the tree with what the specification and the agent add                      composition
4. the tree as a file system under dm-verity                                   filesystems
5. the initrd that opens it, and all that boots in one program, signed or not  initrd, image
6. the disk                                                                    disk
7. what is to be known of it: measurements, bill of materials, record, audit   papers
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.errors import UsageError
from strongroom.formats.image_paths import BUNDLE_FOLDER, CONFIG_FILE, TRUST_FILE
from strongroom.formats.image_spec_model import DEBUG, DebianBase, FileContent, ImageSpec
from strongroom.formats.uki import Architecture
from strongroom.imaging.agent_payload import AgentSettings, PayloadFile, agent_payload, compile_command
from strongroom.imaging.build.bootstrap import SYSTEM_PACKAGES, Bootstrapped, bootstrap
from strongroom.imaging.build.composition import Plan, compose, os_release
from strongroom.imaging.build.disk import make_disk
from strongroom.imaging.build.filesystems import make_root
from strongroom.imaging.build.image import assemble, command_line, compress, unpack_boot_parts
from strongroom.imaging.build.initrd import MODULES, STATE_MODULES, build_initrd
from strongroom.imaging.build.workshop import Workshop, expect_programs
from strongroom.imaging.secure_boot import expect_bootable, sign_image
from strongroom.imaging.tree.archives import tar_tree
from strongroom.imaging.tree.folder import file_contents
from strongroom.imaging.tree.tree import Tree
from strongroom.imaging.wheels import ImagePython
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.ports import ImageSigner

_PYTHONS: Mapping[str, str] = {"bookworm": "3.11", "trixie": "3.13"}
"""Which Python each suite has."""
_FOR_DEBUGGING = ("openssl", "tpm2-tools")


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs, and the keys of the machines that boot what is signed."""

    signer: ImageSigner
    keys: SecureBootKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be built. `variant` is production, rehearsal or debug; `read` returns what files of the spec hold."""

    spec: ImageSpec
    variant: str
    agent: AgentSettings | None
    read: Callable[[FileContent], bytes] = field(repr=False)
    signing: Signing | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What came of it. The disk is where the caller wanted it."""

    image: bytes = field(repr=False)
    root: Tree = field(repr=False)
    """The tree of the root, as long as the workshop's folder and the cache are there."""
    base: Bootstrapped
    agent: Sequence[PayloadFile]
    python: ImagePython | None
    """The agent's, None for an image without one."""

    @property
    def of_this_image(self) -> tuple[PayloadFile, ...]:
        """The files of the agent that are made for this image: whom it trusts, what it opens, bundles."""
        return tuple(file for file in self.agent if not _is_code(file.path))


def build_image(order: Order, *, disk: Path, workshop: Workshop, cache: Path) -> Built:
    """Build an image; its disk is written to `disk`, which is not there yet.

    Raises UsageError for what this host or this version cannot build, LocalFault for a step that fails or a program
    that is missing, ServiceFault for mirrors and indexes that cannot be reached, FormatError for a specification that
    does not fit its base, and what the signer raises.
    """
    spec, base = order.spec, _debian(order.spec)
    expect_programs()
    python = ImagePython(_python_of(base.suite), spec.architecture)
    agent = agent_payload(order.agent, python, wheel_cache=cache / "wheels") if order.agent else ()
    made = bootstrap(  # step 1
        base,
        _packages(base, python, with_agent=bool(agent), debug=order.variant == DEBUG),
        [file for file in agent if _is_code(file.path)],
        compile_command(python) if agent else (),
        workshop=workshop,
        cache=cache / "bootstrap",
    )
    workshop.progress("unpacking the kernel")
    parts = unpack_boot_parts(made.debs, _modules(spec), workshop)  # step 2
    plan = Plan(
        spec=spec,
        variant=order.variant,
        agent=agent,
        files={f"/usr/lib/modules/{parts.release}/config": parts.config},
        read=order.read,
        epoch=workshop.epoch,
        kept_byte_code=(python.library,) if agent else (),
    )
    bootstrapped = tar_tree(file_contents(made.root))
    root = compose(bootstrapped, plan)  # step 3
    workshop.progress("writing the root file system")
    verity = make_root(root, spec.name, workshop)  # step 4
    workshop.progress("assembling what boots")
    initrd = compress(build_initrd(bootstrapped, parts.busybox, made.libraries, parts.modules), workshop)
    line = command_line(verity.root_hash, spec.kernel.arguments)
    image = assemble(parts, os_release(bootstrapped, plan), line, initrd)  # step 5
    if order.signing is not None:
        image = sign_image(image, order.signing.signer)
        expect_bootable(image, order.signing.keys)
    workshop.progress("writing the disk")
    state_mib = spec.state.size_mib if spec.state else 0
    make_disk(image, verity, spec.name, state_mib=state_mib, destination=disk, workshop=workshop)  # step 6
    return Built(image, root, made, agent, python if agent else None)


def _debian(spec: ImageSpec) -> DebianBase:
    if not isinstance(spec.base, DebianBase):
        raise UsageError(
            "image.base",
            f"expected a base of the kind debian, found {spec.base.kind}: this version builds from no other",
            remedy="docs/image-bases.md says what of trees and containers is there.",
        )
    if spec.architecture is not Architecture.X86_64:
        raise UsageError(
            "image.architecture",
            "expected an image for x86_64, found one for arm64: installing packages runs programs of that processor",
            remedy="docs/adr/0014-arm64-images.md says what of arm64 can be had here.",
        )
    return spec.base


def _python_of(suite: str) -> str:
    if suite not in _PYTHONS:
        raise UsageError(
            "image.suite", f"expected one of the suites {', '.join(_PYTHONS)}, found {suite}: its Python is not known"
        )
    return _PYTHONS[suite]


def _packages(base: DebianBase, python: ImagePython, *, with_agent: bool, debug: bool) -> tuple[str, ...]:
    for_agent = ("python3-minimal", f"libpython{python.version}-stdlib") if with_agent else ()
    return tuple(sorted({*SYSTEM_PACKAGES, *for_agent, *(_FOR_DEBUGGING if debug else ()), *base.packages}))


def _is_code(path: str) -> bool:
    """Tell whether a file of the agent is the same in every image; what is measured for one image is added later."""
    return path not in {TRUST_FILE, CONFIG_FILE} and not path.startswith(f"{BUNDLE_FOLDER}/")


def _modules(spec: ImageSpec) -> tuple[str, ...]:
    return (*MODULES, *(STATE_MODULES if spec.state else ()), *spec.kernel.modules)
