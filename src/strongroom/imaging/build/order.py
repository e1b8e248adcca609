# SPDX-License-Identifier: Apache-2.0
"""What is to be built: a specification, and what was read beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from strongroom.formats.image_spec_model import FileContent, ImageSpec
from strongroom.imaging.agent_payload import AgentSettings
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.ports import ImageSigner


@dataclass(frozen=True, slots=True)
class Signing:
    """Who signs, and the keys of the machines that boot what is signed."""

    signer: ImageSigner
    keys: SecureBootKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be built. `folder` is where paths of the specification start; `read` returns what its files hold."""

    spec: ImageSpec
    folder: Path
    variant: str
    """production, rehearsal or debug."""
    agent: AgentSettings | None
    read: Callable[[FileContent], bytes] = field(repr=False)
    signing: Signing | None = None
