# SPDX-License-Identifier: Apache-2.0
"""`strongroom signer`: who signs for the product, and the trust.json that says so to images."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
from pathlib import Path

import click

from strongroom.agent.trusted import verify_trust
from strongroom.cli.output import emit, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.project_file import ProjectFile, project_option, read_project, target_option
from strongroom.cli.trust_file import as_a_guest_sees_it, trust_of
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import StrongroomError, UsageError
from strongroom.flows.files import PUBLIC_MODE, write_file
from strongroom.flows.signer_file import read_signer_file, write_signer_file
from strongroom.formats.bundle_trust import SignatureAlgorithm, SignerRole
from strongroom.formats.names import ID
from strongroom.formats.partition import Profile
from strongroom.formats.project import default_private_key
from strongroom.formats.project_model import Signer, SignerState
from strongroom.formats.trust import algorithm_name, encode_trust, parse_trust


@click.group("signer")
def command() -> None:
    """Make, show and rotate signing keys, and write what images trust.

    Private keys are files outside the repository, readable by their owner only. No command prints one, and none of
    these commands talks to an account.

    \b
    Example:  strongroom signer new main
              strongroom signer trust -o trust.json
    """


@command.command("new")
@click.argument("name")
@click.option(
    "--role",
    "roles",
    type=click.Choice([role.value for role in SignerRole]),
    multiple=True,
    default=[SignerRole.BUNDLE.value],
    show_default=True,
    help="What it signs; may be repeated.",
)
@click.option("--private-key", metavar="PATH", help="Default: ~/.config/strongroom/PRODUCT/NAME.pem")
@target_option
@project_option
@json_option
def new(
    name: str, *, roles: tuple[str, ...], private_key: str | None, target: str | None, project_path: Path, as_json: bool
) -> None:
    """Make an Ed25519 key: the public half into the project, the private one into a file of mode 0600.

    \b
    Example:  strongroom signer new main
              strongroom signer new ci --role bundle --private-key ci.pem
    """
    file = read_project(project_path)
    file.expect_target(target)
    added = _add(file, name, tuple(sorted(set(roles))), private_key)
    signer = added.project.signers[name]
    emit(
        {"signer": _members(added, signer)},
        as_json=as_json,
        human=lambda out: out.print(
            f"Made signer {_line(added, signer)}\nKeep a copy of its private key.", markup=False
        ),
    )


@command.command("show")
@click.argument("name", required=False)
@target_option
@project_option
@json_option
def show(name: str | None, *, target: str | None, project_path: Path, as_json: bool) -> None:
    """Show one signer or all: key id, roles, state, and whether its private key is on this machine.

    \b
    Example:  strongroom signer show
              strongroom signer show main --json
    """
    file = read_project(project_path)
    file.expect_target(target)
    signers = tuple(file.project.signers.values()) if name is None else (_signer(file, name),)
    emit(
        {"signers": [_members(file, signer) for signer in signers]},
        as_json=as_json,
        human=lambda out: out.print(
            "\n".join(_line(file, signer) for signer in signers) or "No signers.", markup=False
        ),
    )


@command.command("rotate")
@click.argument("name")
@click.option("--compromised", is_flag=True, help="Revoke the old key: images built from now on do not trust it.")
@click.option("--private-key", metavar="PATH", help="For the new key. Default: ~/.config/strongroom/PRODUCT/NAME.pem")
@target_option
@project_option
@json_option
def rotate(
    name: str, *, compromised: bool, private_key: str | None, target: str | None, project_path: Path, as_json: bool
) -> None:
    """Replace an active signer by a new one with the same roles, and retire or revoke the old one.

    A retired key signs nothing more, and new images still trust it, so that what it has signed stays readable. Images
    that run already trust the old key until they are replaced.

    \b
    Example:  strongroom signer rotate main
              strongroom signer rotate main --compromised
    """
    file = read_project(project_path)
    file.expect_target(target)
    old = _signer(file, name)
    if old.state is not SignerState.ACTIVE:
        raise UsageError(
            "signer.not-active",
            f"expected an active signer, found {name!r} {old.state}",
            remedy="Rotate an active one, or make another with `strongroom signer new`.",
        )
    state = SignerState.REVOKED if compromised else SignerState.RETIRED
    successor = _next_name(file, name)
    added = _add(file.with_value(("signers", name, "state"), state), successor, tuple(sorted(old.roles)), private_key)
    signer = added.project.signers[successor]
    emit(
        {"signer": _members(added, signer), "replaced": {"name": name, "state": state}},
        as_json=as_json,
        human=lambda out: out.print(
            f"Made signer {_line(added, signer)}\n{name} is {state}. Next: strongroom signer trust, then build images.",
            markup=False,
        ),
    )


@command.command("trust")
@click.option(
    "-o",
    "--output",
    type=PATH,
    default="trust.json",
    show_default=True,
    help="Where to write it.",
)
@click.option("--profile", type=click.Choice([profile.value for profile in Profile]), help="Default: the target's.")
@click.option("--guest", is_flag=True, help="For an image under QEMU, where a twin on this machine is at 10.0.2.2.")
@target_option
@project_option
@json_option
def trust(
    *, output: Path, profile: str | None, guest: bool, target: str | None, project_path: Path, as_json: bool
) -> None:
    """Write trust.json: what images for a target trust. It is measured, so the same project gives the same bytes.

    \b
    Example:  strongroom signer trust -o trust.json
              strongroom signer trust --target aws -o trust.json
    """
    file = read_project(project_path)
    chosen = file.target(target)
    wanted = chosen.profile if profile is None else Profile(profile)
    found = trust_of(file, chosen, wanted)
    data = encode_trust(as_a_guest_sees_it(found) if guest else found)
    verify_trust(parse_trust(data))  # nothing is written that an agent would refuse
    write_file(output, data, mode=PUBLIC_MODE)
    digest = hashlib.sha256(data).hexdigest()
    emit(
        {"trust": str(output), "profile": wanted, "target": chosen.name, "sha256": digest},
        as_json=as_json,
        human=lambda out: out.print(f"Wrote {output} for {wanted} on {chosen.name}\nsha256 {digest}", markup=False),
    )


def _signer(file: ProjectFile, name: str) -> Signer:
    if name not in file.project.signers:
        known = ", ".join(file.project.signers) or "none"
        raise UsageError("signer.unknown", f"expected a signer of {file.path} ({known}), found {name!r}")
    return file.project.signers[name]


def _next_name(file: ProjectFile, name: str) -> str:
    stem = re.sub(r"-[0-9]+$", "", name)
    number = 2
    while f"{stem}-{number}" in file.project.signers:
        number += 1
    return f"{stem}-{number}"


def _add(file: ProjectFile, name: str, roles: tuple[str, ...], private_key: str | None) -> ProjectFile:
    """Make a key and write both halves. If the project cannot be written, the key goes too."""
    if not ID.fullmatch(name):
        raise UsageError("signer.name", f"expected a name of a-z, 0-9 and - (at most 63), found {name!r}")
    if name in file.project.signers:
        raise UsageError(
            "signer.taken", f"signer {name!r} is in {file.path} already", remedy="Rotate it, or choose another name."
        )
    place = private_key or default_private_key(file.project.product.id, name)
    signer = Ed25519Signer.generate()
    edited = file.with_section(
        ("signers", name),
        {
            "key-id": signer.key_id.hex(),
            "algorithm": algorithm_name(SignatureAlgorithm.EDDSA),
            "public-key": base64.b64encode(signer.public_key).decode("ascii"),
            "roles": list(roles),
            "private-key": place,
            "state": SignerState.ACTIVE.value,
        },
    )
    path = file.locate(place)
    write_signer_file(path, signer)
    try:
        edited.write()
    except StrongroomError:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        raise
    return edited


def _members(file: ProjectFile, signer: Signer) -> dict[str, object]:
    return {
        "name": signer.name,
        "key_id": signer.key_id.hex(),
        "algorithm": algorithm_name(signer.algorithm),
        "public_key": base64.b64encode(signer.public_key).decode("ascii"),
        "roles": sorted(signer.roles),
        "state": signer.state,
        "private_key": signer.private_key,
        "private_key_state": _private_key_state(file, signer),
    }


_STATES = {
    "here": "here",
    "other-key": "here, but of another key",
    "missing": "not on this machine",
    "readable": "here, but not closed to others: strongroom will not use it",
    "unusable": "here, but not usable",
}


def _private_key_state(file: ProjectFile, signer: Signer) -> str:
    """Return the word for what lies where the private key should, one of `_STATES`."""
    try:
        found = read_signer_file(file.locate(signer.private_key))
    except StrongroomError as error:
        state = error.code.rpartition(".")[2]
        return state if state in _STATES else "unusable"
    return "here" if found.key_id == signer.key_id else "other-key"


def _line(file: ProjectFile, signer: Signer) -> str:
    roles = ", ".join(sorted(signer.roles))
    return (
        f"{signer.name}  {signer.state}  {roles}\n"
        f"  key id {signer.key_id.hex()}\n"
        f"  private key {signer.private_key} ({_STATES[_private_key_state(file, signer)]})"
    )
