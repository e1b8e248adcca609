# SPDX-License-Identifier: Apache-2.0
"""The two profiles of an image, and AWS's partitions with their DNS suffixes."""

from __future__ import annotations

from enum import StrEnum


class Profile(StrEnum):
    """Which world an image is for (docs/formats/trust.md). The two differ in exactly `trust.json`."""

    PRODUCTION = "production"
    REHEARSAL = "rehearsal"


class Partition(StrEnum):
    """AWS partitions that this version serves (AWS General Reference: Amazon Resource Names)."""

    AWS = "aws"
    CHINA = "aws-cn"
    GOVCLOUD = "aws-us-gov"

    @property
    def dns_suffix(self) -> str:
        """What host names of AWS endpoints end in (`dnsSuffix` in botocore's partitions.json)."""
        return "amazonaws.com.cn" if self is Partition.CHINA else "amazonaws.com"
