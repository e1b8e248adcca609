# SPDX-License-Identifier: Apache-2.0
"""The certificates that AWS publishes for instance identity documents, as packaged.

Source: EC2 User Guide, "Instance identity document signatures for Amazon EC2 instances" (regions-certs).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

from strongroom.crypto.certificates import parse_pem_certificates
from strongroom.ids import CertificateDer, Region

_FOLDER: Final = ("data", "identity-certificates")
_CLASSIC_DSA: Final = ("dsa", "classic.pem")
CLASSIC_DSA_REGIONS: Final = tuple(
    map(
        Region,
        (
            *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
            *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"),
            *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
            *("us-gov-east-1", "us-gov-west-1"),
        ),
    )
)
"""The Regions that were there before 2019, China's excepted. AWS gave each later one a DSA certificate of its own.

The EC2 User Guide of 2020 lists the certificate for all Regions but Hong Kong, Bahrain and China's, and a second time
for GovCloud. Seen with a genuine document: us-east-1.
"""


@functools.cache
def aws_identity_certificates() -> Mapping[Region, CertificateDer]:
    """Return the RSA-2048 certificates, one for each Region: they verify `rsa2048`."""
    folder = resources.files("strongroom").joinpath(*_FOLDER)
    return MappingProxyType(
        {
            Region(file.name.removesuffix(".pem")): parse_pem_certificates(file.read_bytes())[0]
            for file in folder.iterdir()
            if file.name.endswith(".pem")
        }
    )


@functools.cache
def aws_unsafe_legacy_dsa_certificates() -> Mapping[Region, CertificateDer]:
    """Return the classic DSA certificate for each of CLASSIC_DSA_REGIONS: it verifies `pkcs7`, which is weak."""
    pem = resources.files("strongroom").joinpath(*_FOLDER, *_CLASSIC_DSA).read_bytes()
    return MappingProxyType(dict.fromkeys(CLASSIC_DSA_REGIONS, parse_pem_certificates(pem)[0]))
