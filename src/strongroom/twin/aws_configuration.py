# SPDX-License-Identifier: Apache-2.0
"""An AWS configuration for a twin: a profile for each account, in files of the twin's own. ~/.aws is never touched.

AWS SDKs and Tools Reference Guide, "Configuration and credentials file settings", "Environment variables".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from strongroom.errors import FormatError
from strongroom.flows.files import PRIVATE_MODE, write_file
from strongroom.twin.accounts import Credentials
from strongroom.twin.private_folder import open_private_folder

_FOLDER = "aws"
_WORD = re.compile(r"[ -~]+")
UNSET = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_DEFAULT_PROFILE",
    "AWS_DEFAULT_REGION",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_ENDPOINT_URL_EBS",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SSM",
    "AWS_ENDPOINT_URL_STS",
)
"""What would win over a profile, or send calls past the twin."""


def write_configuration(folder: Path, profiles: Mapping[str, Credentials], *, region: str, endpoint: str) -> None:
    """Write both files. Raises FormatError for an access key that would be more than one setting in them."""
    for name, key in profiles.items():
        if not (_WORD.fullmatch(key.access_key_id) and _WORD.fullmatch(key.secret_access_key)):
            raise FormatError(
                "twin.access-key",
                f"expected printable ASCII without line breaks in the access key of {name}, found something else",
                spec="docs/twin.md, the file of accounts",
            )
    open_private_folder(folder / _FOLDER)
    settings = "".join(
        f"[profile {name}]\nregion = {region}\noutput = json\nendpoint_url = {endpoint}\n\n" for name in profiles
    )
    keys = "".join(
        f"[{name}]\naws_access_key_id = {key.access_key_id}\naws_secret_access_key = {key.secret_access_key}\n\n"
        for name, key in profiles.items()
    )
    write_file(_config(folder), settings.encode(), mode=PRIVATE_MODE)
    write_file(_credentials(folder), keys.encode(), mode=PRIVATE_MODE)


def environment(folder: Path, profile: str, *, region: str, endpoint: str) -> dict[str, str]:
    """Return the variables under which AWS's tools are a profile of the twin."""
    return {
        "AWS_CONFIG_FILE": str(_config(folder.absolute())),
        "AWS_SHARED_CREDENTIALS_FILE": str(_credentials(folder.absolute())),
        "AWS_PROFILE": profile,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": region,
    }


def _config(folder: Path) -> Path:
    return folder / _FOLDER / "config"


def _credentials(folder: Path) -> Path:
    return folder / _FOLDER / "credentials"
