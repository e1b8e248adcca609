# SPDX-License-Identifier: Apache-2.0
"""What names look like, ours and AWS's: one pattern each, for every format that carries them.

All of them are matched as a whole (`fullmatch`). Sources: docs/formats/bundle.md section 2 for ids, accounts, regions
and partitions; EC2 User Guide, "Resource IDs"; IAM User Guide, "IAM and AWS STS quotas" and "IAM ARNs".
"""

from __future__ import annotations

import re

ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
"""Our ids go into key policies and encryption contexts (docs/formats/bundle.md section 5)."""
_PART = r"(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._+@=-]{1,255}"
ENTRY_NAME = re.compile(rf"{_PART}(?:/{_PART})*")
"""A relative path that leads nowhere else (docs/formats/bundle.md section 7)."""

ACCOUNT_ID = re.compile(r"[0-9]{12}")
PARTITION = re.compile(r"aws[a-z-]{0,20}")
REGION = re.compile(r"[a-z]{2,8}(?:-[a-z]{2,16}){1,3}-[0-9]{1,2}")
"""As in `eu-central-1`, `us-gov-west-1`."""
INSTANCE_ID = re.compile(r"i-(?:[0-9a-f]{8}|[0-9a-f]{17})")
MODULE_ID = re.compile(rf"{INSTANCE_ID.pattern}-(?:tpm|enc)[0-9a-f]{{16}}")
"""Of the NitroTPM of an instance, or of an enclave on it, as attestation documents name it."""
IMAGE_ID = re.compile(r"ami-(?:[0-9a-f]{8}|[0-9a-f]{17})")
SNAPSHOT_ID = re.compile(r"snap-(?:[0-9a-f]{8}|[0-9a-f]{17})")
IAM_NAME = re.compile(r"[\w+=,.@-]{1,64}", re.ASCII)
"""Of a role, a user or a role session."""
ROLE_PATH = re.compile(r"[\w+=,.@/-]{1,576}", re.ASCII)
"""Path and name of a role, as they follow `role/` in its ARN: at most 512 and 64 characters."""
