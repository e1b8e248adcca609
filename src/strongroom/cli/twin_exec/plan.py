# SPDX-License-Identifier: Apache-2.0
"""What a run needs, read from the project and its files before anything is started. It talks to nobody."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.cli.project_file import ProjectFile
from strongroom.cli.twin_exec.image import BootImage, admitted_by, read_image, stand_in, with_a_byte_changed
from strongroom.cli.twin_exec.signer import ChosenSigner, choose_signer
from strongroom.errors import UsageError
from strongroom.flows.files import read_file
from strongroom.flows.seal import MAX_PLAINTEXT_BYTES, SealedEntry
from strongroom.formats.measurements import Measurements
from strongroom.formats.names import ACCOUNT_ID
from strongroom.formats.partition import Partition
from strongroom.formats.project_model import Secret, Target, Tenant
from strongroom.ids import AccountId, Region, TenantId

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
class Plan:
    """Everything for one run. `admitted` are the measurements that the key will open for, by what they are called."""

    file: ProjectFile
    target: Target
    tenant: Tenant
    account: AccountId
    """The account that the instance runs in."""
    region: Region
    secrets: tuple[Secret, ...]
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
    return Plan(
        file=file,
        target=target,
        tenant=tenant,
        account=account,
        region=tenant.regions[0],
        secrets=secrets,
        image=with_a_byte_changed(image) if wanted.change_a_byte else image,
        admitted=admitted_by(image, wanted.measurements),
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
            "tenant.unknown",
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


def read_entries(file: ProjectFile, secret: Secret) -> tuple[SealedEntry, ...]:
    """Read the files of a secret, to be sealed and let go. Raises LocalFault, FormatError."""
    return tuple(
        SealedEntry(written.rpartition("/")[2], read_file(file.locate(written), maximum_bytes=MAX_PLAINTEXT_BYTES))
        for written in secret.files
    )


def _image(file: ProjectFile, named: str | None) -> BootImage:
    """Return what boots: the file, or a stand-in for an image of the project, which nobody has built yet."""
    if named is None or named in file.project.images:
        return stand_in(named)
    return read_image(Path(named))
