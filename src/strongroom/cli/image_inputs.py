# SPDX-License-Identifier: Apache-2.0
"""What commands read beside an image's specification: its files, whom its agent trusts, and its bundles."""

from __future__ import annotations

from pathlib import Path

from strongroom.agent.trusted import verify_trust
from strongroom.cli.paths import named
from strongroom.cli.project_file import read_project
from strongroom.cli.trust_file import as_a_guest_sees_it, trust_of
from strongroom.flows.files import read_file
from strongroom.formats.bundle import MAX_BUNDLE_BYTES
from strongroom.formats.image_paths import BUNDLE_SUFFIX
from strongroom.formats.image_spec import MAX_BYTES, parse_image_spec
from strongroom.formats.image_spec_model import FileContent, ImageSpec, SpecAgent
from strongroom.formats.trust import MAX_BYTES as MAX_TRUST_BYTES
from strongroom.formats.trust import Trust, parse_trust
from strongroom.imaging.agent_payload import AgentSettings

MAX_SOURCE_BYTES = 1 << 30
"""Of a file that goes into an image."""


def read_spec(path: Path) -> ImageSpec:
    """Read a specification. Raises FormatError with the line, LocalFault."""
    return parse_image_spec(read_file(path, maximum_bytes=MAX_BYTES), name=path.name)


def read_content(content: FileContent, folder: Path) -> bytes:
    """Return what a file of a specification in `folder` holds. Raises LocalFault and FormatError as `read_file`."""
    if content.source is None:
        return (content.text or "").encode()
    return read_file(folder / content.source, maximum_bytes=MAX_SOURCE_BYTES)


def agent_settings(spec: ImageSpec, folder: Path, *, target: str | None, project: Path) -> AgentSettings | None:
    """Return what the agent of an image is told, None for an image without one.

    Raises LocalFault, FormatError, and what `verify_trust` raises for a trust file that no agent would take.
    """
    if spec.agent is None:
        return None
    trust = _trust(spec.agent, folder, target, project)
    verify_trust(trust)
    names = () if spec.agent.bundles is None else (delivery.bundle for delivery in spec.agent.config.deliveries)
    place = folder / (spec.agent.bundles or "")
    bundles = {name: read_file(place / f"{name}{BUNDLE_SUFFIX}", maximum_bytes=MAX_BUNDLE_BYTES) for name in names}
    return AgentSettings(trust, spec.agent.config, bundles)


def _trust(agent: SpecAgent, folder: Path, target: str | None, project: Path) -> Trust:
    if agent.trust is None:
        file = read_project(project)
        chosen = file.target(target)
        return as_a_guest_sees_it(trust_of(file, chosen, chosen.profile))
    path = folder / agent.trust
    with named(path):
        return parse_trust(read_file(path, maximum_bytes=MAX_TRUST_BYTES))
