# SPDX-License-Identifier: Apache-2.0
"""What a run needs, read from the project and its files before anything is started. It talks to nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from strongroom.cli.image_file import read_image_file
from strongroom.cli.policy_file import read_measurements_file
from strongroom.cli.project_file import ProjectFile
from strongroom.cli.stand_in import build_image, stand_in_parts, this_architecture
from strongroom.cli.twin_exec.signer import ChosenSigner, choose_signer
from strongroom.errors import Finding, UsageError
from strongroom.flows.files import read_file
from strongroom.flows.seal import MAX_PLAINTEXT_BYTES, SealedEntry
from strongroom.formats.measurements import Measurements
from strongroom.formats.names import ACCOUNT_ID
from strongroom.formats.partition import Partition
from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.project_model import Secret, Target, Tenant
from strongroom.formats.uki import parse_uki
from strongroom.ids import AccountId, Region, TenantId
from strongroom.measure.predict import measure_image

_CHANGEABLE = (".cmdline", ".osrel", ".linux")
"""Sections in which one bit may be another and the image still boots in the twin, the most telling one first."""

_STAND_IN = "it has the form of a unified kernel image and nothing of yours in it; --image FILE boots one"
Say = Callable[[str], None]
"""Told what happens next, in a few words."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    tenant: str
    target: str | None
    image: str | None
    measurements: tuple[Path, ...]
    secrets: tuple[str, ...]
    account: str | None
    change_a_byte: bool


@dataclass(frozen=True, slots=True)
class BootImage:
    """What boots."""

    name: str
    """What people are told that it is, in a few words."""
    data: bytes
    about: str = ""
    """What else they should know of it."""
    findings: tuple[Finding, ...] = ()
    """What lies beside it on its disk and would change a boot there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything for one run. `admitted` are the measurements that the key will open for, by what they are called."""

    file: ProjectFile
    target: Target
    tenant: Tenant
    account: AccountId
    """The account that the instance runs in."""
    region: Region
    secrets: tuple[Secret, ...]
    entries: Mapping[str, tuple[SealedEntry, ...]]
    """What is in each secret, by its name."""
    image: BootImage
    admitted: Mapping[str, Measurements]
    exact: bool
    """Whether the key admits exactly this image, because nobody said what else."""
    changed: bool
    """Whether a byte was changed on purpose."""
    signer: ChosenSigner


def read_plan(file: ProjectFile, wanted: Wanted) -> Plan:
    """Read everything that a run needs. Raises UsageError, FormatError, NotTrusted, LocalFault."""
    target = _target(file, wanted.target)
    tenant = _tenant(file, wanted.tenant)
    account = _account(tenant, wanted.account)
    secrets = _secrets(file, tenant, wanted)
    image = _image(file, wanted.image)
    admitted = _admitted(image, wanted.measurements)
    return Plan(
        file=file,
        target=target,
        tenant=tenant,
        account=account,
        region=tenant.regions[0],
        secrets=secrets,
        entries={secret.name: _entries(file, secret) for secret in secrets},
        image=_with_a_byte_changed(image) if wanted.change_a_byte else image,
        admitted=admitted,
        exact=not wanted.measurements,
        changed=wanted.change_a_byte,
        signer=choose_signer(file),
    )


def _target(file: ProjectFile, name: str | None) -> Target:
    target = file.target(name)
    if target.partition is not Partition.AWS:
        raise UsageError(
            "exec.partition",
            f"expected a target in the partition {Partition.AWS}, which the twin plays, "
            f"found {target.name!r} in {target.partition}",
            remedy="Name a target of the twin with --target.",
        )
    return target


def _tenant(file: ProjectFile, name: str) -> Tenant:
    tenants = file.project.tenants
    if name not in tenants:
        known = ", ".join(tenants) or "none"
        raise UsageError(
            "exec.no-tenant",
            f"expected a tenant of {file.path} ({known}), found {name!r}",
            remedy=f"`strongroom tenant add {name} --account ID` adds one."
            if not tenants
            else "`strongroom tenant list` shows them.",
        )
    return tenants[TenantId(name)]


def _account(tenant: Tenant, named: str | None) -> AccountId:
    if named is None:
        return tenant.accounts[0]
    if not ACCOUNT_ID.fullmatch(named):
        raise UsageError("exec.account", f"expected --account with 12 digits, found {named!r}")
    return AccountId(named)


def _secrets(file: ProjectFile, tenant: Tenant, wanted: Wanted) -> tuple[Secret, ...]:
    """Return the secrets that were named, else those that the image opens, else all that the tenant has."""
    known = file.project.secrets
    sealed = [name for name, secret in known.items() if tenant.id in secret.tenants]
    names = wanted.secrets or (_opened_by_the_image(file, wanted.image) if file.project.images else sealed)
    if not names:
        raise UsageError(
            "exec.no-secret",
            f"expected a secret of {file.path} that {tenant.id} gets and the image opens, found none",
            remedy="Add a [secrets.NAME] section with files, or name it under [images.NAME]: docs/formats/project.md.",
        )
    for name in names:
        if name not in sealed:
            raise UsageError(
                "exec.not-for-tenant",
                f"expected secrets of {file.path} that are sealed for {tenant.id} ({', '.join(sealed) or 'none'}), "
                f"found {name!r}",
                remedy="Name others with --secret, or change `tenants` or `rings` of this one.",
            )
    return tuple(known[name] for name in dict.fromkeys(names))


def _opened_by_the_image(file: ProjectFile, image: str | None) -> Sequence[str]:
    """Return the secrets of the image with this name, or of the only one there is."""
    images = file.project.images
    if image is not None and image in images:
        return images[image].secrets
    if len(images) > 1:
        raise UsageError(
            "exec.which-secrets",
            f"expected --secret, because {file.path} has {len(images)} images and each opens its own",
            remedy=f"Or name one of them with --image: {', '.join(images)}. A stand-in boots for it.",
        )
    (only,) = images.values()
    return only.secrets


def _entries(file: ProjectFile, secret: Secret) -> tuple[SealedEntry, ...]:
    """Read the files of a secret."""
    return tuple(
        SealedEntry(written.rpartition("/")[2], read_file(file.locate(written), maximum_bytes=MAX_PLAINTEXT_BYTES))
        for written in secret.files
    )


def _image(file: ProjectFile, named: str | None) -> BootImage:
    """Read the image, or make a stand-in where none was named, or one that nobody has built."""
    if named is None or named in file.project.images:
        parts = stand_in_parts(this_architecture(), origin="a stand-in")
        name = f"a stand-in for {named}" if named else "a stand-in"
        return BootImage(name, build_image(parts, trust=b"{}\n"), about=_STAND_IN)
    found = read_image_file(Path(named))
    with found.named():
        parse_uki(found.image)
    return BootImage(named, bytes(found.image), findings=found.findings)


def _admitted(image: BootImage, files: Sequence[Path]) -> Mapping[str, Measurements]:
    """Return what the key opens for: the measurements that were given, or those of this image."""
    if not files:
        return {image.name: measure_image(image.data, secure_boot=None)}
    given = {str(path): read_measurements_file(path) for path in files}
    for name, measurements in given.items():
        if PcrIndex(7) in measurements.gates:
            raise UsageError(
                "exec.secure-boot",
                f"expected measurements of boots with Secure Boot off, found a gate on PCR 7 in {name}",
                remedy="The twin boots with Secure Boot off here: measure the image without keys.",
            )
    return given


def _with_a_byte_changed(image: BootImage) -> BootImage:
    """Return the image with one bit flipped in what it is told, or in what it runs."""
    uki = parse_uki(image.data)
    section = next(s for name in _CHANGEABLE for s in uki.image.sections if s.name == name)
    place = section.raw_offset if section.name != ".linux" else section.raw_offset + section.virtual_size - 1
    changed = bytearray(image.data)
    changed[place] ^= 1
    about = f"{image.about}; with byte {place} changed, in {section.name}".removeprefix("; ")
    return replace(image, data=bytes(changed), about=about)
