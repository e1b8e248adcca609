# SPDX-License-Identifier: Apache-2.0
"""From a specification for Debian to one of Amazon Linux 2023 with the same effect, as far as kiwi can have it.

The same: what boots and is measured, files, users, units, agent, the kernel arguments that keep others out. Different:
packages are Amazon Linux's; the root's hash lies in the initrd and not in the command line; what is written to the root
goes to memory (an overlay), where ours refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping

from strongroom.errors import UsageError
from strongroom.formats.image_paths import PYTHON_FOLDER
from strongroom.formats.image_spec_model import DebianBase, ImageSpec
from strongroom.imaging.kiwi.overlay import OverlayFile
from strongroom.imaging.kiwi.package_names import amazon_packages
from strongroom.imaging.kiwi.plan import KiwiPlan
from strongroom.imaging.wheels import ImagePython

PYTHON = "3.11"
"""Amazon Linux's own `python3` is 3.9; the agent needs this one."""
LATEST = "latest"
_REPOSITORY = "https://cdn.amazonlinux.com/al2023/core/mirrors/{}/$basearch/mirror.list"
KERNEL_ARGUMENTS = (
    "console=ttyS0",
    "panic=-1",
    "lockdown=integrity",
    "nohibernate",
    "efi=noruntime",
    "rd.kiwi.verity_options=panic-on-corruption",
    "rd.shell=0",
    "rd.emergency=halt",
    "systemd.gpt_auto=0",
    "systemd.getty_auto=no",
    "systemd.import_credentials=no",
)
"""kiwi adds `root=overlay:MAPPER=verityroot`, and its initrd opens that with the hash that it carries. Without EFI's
run-time services no program reads UEFI variables: systemd takes one as a second kernel command line, which no PCR
holds."""


def plan_of(
    spec: ImageSpec,
    files: tuple[OverlayFile, ...],
    *,
    variant: str,
    packages: Mapping[str, tuple[str, ...]],
    release: str,
) -> KiwiPlan:
    """Return the plan of a specification.

    `packages` are Amazon Linux's names by Debian's; `release` is `latest` or a version such as 2023.9.20251105.
    Raises UsageError for what kiwi cannot do, and for packages whose names are not known.
    """
    names = _debian_packages(spec)
    _expect_nothing_else(spec)
    python = ImagePython(PYTHON, spec.architecture)
    agent = ("python3.11",) if spec.agent else ()
    return KiwiPlan(
        name=spec.name,
        architecture=spec.architecture,
        packages=tuple(sorted({*amazon_packages(names, packages), *agent})),
        kernel_arguments=(*KERNEL_ARGUMENTS, *spec.kernel.arguments),
        repository=_REPOSITORY.format(release),
        variant=variant,
        enabled_units=(*_SYSTEM_UNITS, *(unit.name for unit in spec.units if unit.enable)),
        owners=tuple((file.path, file.owner) for file in files if file.owner),
        compile_agent=(python.program, *_COMPILE) if spec.agent else (),
    )


_COMPILE = ("-I", "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", PYTHON_FOLDER)
"""Amazon Linux's packages bring their own byte code."""
_SYSTEM_UNITS = ("systemd-networkd.service", "systemd-resolved.service")


def _debian_packages(spec: ImageSpec) -> tuple[str, ...]:
    if isinstance(spec.base, DebianBase):
        return spec.base.packages
    raise UsageError(
        "kiwi.base",
        f"expected a base of the kind debian, whose packages have names in Amazon Linux, found {spec.base.kind}",
        remedy="kiwi installs packages. A tree or a container becomes an image without it.",
    )


def _expect_nothing_else(spec: ImageSpec) -> None:
    if spec.state is not None:
        raise UsageError(
            "kiwi.state",
            "expected no [state], found one: kiwi's disk has no partition for it",
            remedy="Attach a volume of its own to the instance.",
        )
    if spec.secure_boot is not None:
        raise UsageError(
            "kiwi.secure-boot",
            "expected no [secure-boot], found one: kiwi's build machine has no business with that key",
            remedy="Leave it out and gate on PCR 4.",
        )
    if spec.kernel.modules:
        raise UsageError(
            "kiwi.modules",
            "expected no modules in [kernel], found some: dracut chooses those of Amazon Linux's kernel",
            remedy="Load them with a file in /etc/modules-load.d.",
        )
