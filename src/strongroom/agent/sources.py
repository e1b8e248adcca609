# SPDX-License-Identifier: Apache-2.0
"""Where bundles come from: the image, or a place in S3 that user data name. Only signatures make them count (B15)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from strongroom.agent.connect import s3_url
from strongroom.agent.trusted import AgentTrust
from strongroom.aws.lean.https import HttpsEndpoint
from strongroom.aws.lean.imds import LeanImds
from strongroom.aws.lean.s3 import S3Bundles
from strongroom.errors import UsageError
from strongroom.flows.files import read_file
from strongroom.formats.agent_config import BundleOrigin
from strongroom.formats.bundle import MAX_BUNDLE_BYTES
from strongroom.formats.bundle_location import parse_bundle_location
from strongroom.formats.image_paths import BUNDLE_SUFFIX
from strongroom.ports import BundleSource, Clock


@dataclass(frozen=True, slots=True)
class FolderBundles:
    """A `BundleSource`: files `NAME.bundle` in a folder, such as the one in the image."""

    folder: Path

    def fetch(self, name: str) -> bytes:
        """Return the bytes of a bundle. Raises LocalFault, FormatError."""
        return read_file(self.folder / f"{name}{BUNDLE_SUFFIX}", maximum_bytes=MAX_BUNDLE_BYTES)


def bundles_from(
    origin: BundleOrigin, *, folder: Path, trust: AgentTrust, imds: LeanImds, clock: Clock
) -> BundleSource:
    """Return the source that `agent.toml` chose. User data are read only if it is the one that they name.

    Raises FormatError for user data that are anything but a location, UsageError for none, and what connecting raises.
    """
    if origin is BundleOrigin.IMAGE:
        return FolderBundles(folder)
    user_data = imds.user_data()
    if user_data is None:
        raise UsageError(
            "agent.no-location",
            "expected user data that name the place of the bundles, found none",
            remedy='Launch the instance with user data such as {"strongroom": {"bundles": "s3://bucket/folder"}}.',
        )
    place = parse_bundle_location(user_data)
    region = place.region or imds.region()
    endpoint = HttpsEndpoint(s3_url(trust, region), roots=trust.tls.roots)
    return S3Bundles(endpoint, place, region=region, credentials=imds.role_credentials, clock=clock)
