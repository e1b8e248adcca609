# SPDX-License-Identifier: Apache-2.0
"""What an image stands on before anything is added: a tree, what of it boots, and the agent's code for its Python.

The base is Debian, installed for it, or a tree that somebody else made. In the latter nothing runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import UsageError
from strongroom.formats.build_record import Base, DebianPackage
from strongroom.formats.image_paths import BUNDLE_FOLDER, CONFIG_FILE, TRUST_FILE
from strongroom.formats.image_spec_model import DEBUG, DebianBase, ImageSpec, PathBase
from strongroom.formats.uki import Architecture
from strongroom.imaging.agent_payload import PayloadFile, agent_payload, compile_command
from strongroom.imaging.audit.scratch import Scratch
from strongroom.imaging.bases.opening import digest_tree, open_base
from strongroom.imaging.bases.parts import find_boot_parts
from strongroom.imaging.build.bootstrap import SYSTEM_PACKAGES, bootstrap
from strongroom.imaging.build.image import BootParts, unpack_boot_parts
from strongroom.imaging.build.initrd import MODULES, STATE_MODULES
from strongroom.imaging.build.order import Order
from strongroom.imaging.build.workshop import Workshop
from strongroom.imaging.kernel_modules import in_order, modules_of_tree
from strongroom.imaging.tree.archives import tar_tree
from strongroom.imaging.tree.folder import file_contents
from strongroom.imaging.tree.tree import Tree
from strongroom.imaging.wheels import ImagePython

_PYTHONS: Mapping[str, str] = {"bookworm": "3.11", "trixie": "3.13"}
"""Which Python each suite of Debian has."""
_KNOWN_PYTHONS = ("3.13", "3.12", "3.11")
_FOR_DEBUGGING = ("openssl", "tpm2-tools")
_BUSYBOX = ("/usr/bin/busybox", "/usr/sbin/busybox")


@dataclass(frozen=True, slots=True)
class Foundation:
    """A base, opened. `byte_code` are folders whose byte code was made in this build."""

    base: Base
    tree: Tree
    parts: BootParts
    packages: tuple[DebianPackage, ...]
    """Each `.deb` that was unpacked; none for a base that somebody else made."""
    agent: tuple[PayloadFile, ...]
    python: ImagePython | None
    """The agent's, None for an image without one."""
    byte_code: tuple[str, ...] = ()

    @property
    def of_this_image(self) -> tuple[PayloadFile, ...]:
        """The files of the agent that are made for this image: whom it trusts, what it opens, bundles."""
        return tuple(file for file in self.agent if not _is_code(file.path))


def lay_foundation(order: Order, workshop: Workshop, *, cache: Path) -> Foundation:
    """Return the base of an order. Raises as `build_image`."""
    spec = order.spec
    if spec.architecture is not Architecture.X86_64:
        raise UsageError(
            "image.architecture",
            "expected an image for x86_64, found one for arm64: installing packages runs programs of that processor",
            remedy="docs/adr/0014-arm64-images.md says what of arm64 can be had here.",
        )
    if isinstance(spec.base, DebianBase):
        return _debian(order, spec.base, workshop, cache=cache)
    return _of_others(order, spec.base, workshop, cache=cache)


def _debian(order: Order, base: DebianBase, workshop: Workshop, *, cache: Path) -> Foundation:
    spec, settings = order.spec, order.agent
    python = ImagePython(_python_of(base.suite), spec.architecture)
    agent = agent_payload(settings, python, wheel_cache=cache / "wheels") if settings else ()
    made = bootstrap(
        base,
        _packages(base, python, with_agent=bool(agent), debug=order.variant == DEBUG),
        [file for file in agent if _is_code(file.path)],
        compile_command(python) if agent else (),
        workshop=workshop,
        cache=cache / "bootstrap",
    )
    workshop.progress("unpacking the kernel")
    return Foundation(
        base=Base("debian", base.suite),
        tree=tar_tree(file_contents(made.root)),
        parts=unpack_boot_parts(made.debs, _modules(spec), workshop),
        packages=made.packages,
        agent=agent,
        python=python if agent else None,
        byte_code=(python.library,) if agent else (),
    )


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


def _of_others(order: Order, base: PathBase, workshop: Workshop, *, cache: Path) -> Foundation:
    spec, settings = order.spec, order.agent
    workshop.progress("reading the base")
    tree = open_base(base.kind, order.folder / base.path, spec.architecture, Scratch(workshop.make("base")))
    python = _python_in(tree, spec.architecture) if settings else None
    return Foundation(
        base=Base(base.kind.value, f"sha256:{digest_tree(tree).hex()}"),
        tree=tree,
        parts=_parts_of(tree, spec),
        packages=(),
        agent=agent_payload(settings, python, wheel_cache=cache / "wheels") if settings and python else (),
        python=python,
    )


def _python_in(tree: Tree, architecture: Architecture) -> ImagePython:
    for version in _KNOWN_PYTHONS:
        python = ImagePython(version, architecture)
        node = tree.resolve(python.program)
        if node is not None and node.is_executable:
            return python
    raise UsageError(
        "image.no-python",
        f"expected Python {', '.join(_KNOWN_PYTHONS)} as /usr/bin/pythonX.Y in the base, for the agent, found none",
        remedy="Install it there: python3.11 on Amazon Linux 2023.",
    )


def _parts_of(tree: Tree, spec: ImageSpec) -> BootParts:
    found = find_boot_parts(tree, spec.architecture)
    return BootParts(
        release=found.version,
        kernel=bytes(tree.view(found.kernel)),
        config=bytes(tree.view(found.config)) if found.config else b"",
        stub=bytes(tree.view(found.stub)),
        busybox=_busybox(tree, _BUSYBOX),
        modules=in_order(_modules(spec), modules_of_tree(tree, found.modules)),
    )


def _busybox(tree: Tree, places: Sequence[str]) -> bytes:
    for place in places:
        node = tree.resolve(place)
        if node is not None and node.is_executable:
            return bytes(tree.view(node.path))
    raise UsageError(
        "image.no-busybox",
        f"expected busybox, linked statically, at {' or '.join(places)} of the base, for the initrd, found none",
        remedy="Install busybox-static (Debian) or busybox (Fedora and its kin) in it.",
    )
