# SPDX-License-Identifier: Apache-2.0
"""What a key policy means, apart from how it is written: KMS may reorder what it was given."""

from __future__ import annotations

import json
from typing import Any

from strongroom.keypolicy.model import KeyPolicy, encode_key_policy


def meaning(policy: KeyPolicy) -> str:
    """Return a text that is the same for two policies exactly when they differ in the order of their lists at most."""
    return _sorted(json.loads(encode_key_policy(policy)))


def _sorted(value: Any) -> str:  # noqa: ANN401 -- JSON
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_sorted(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(sorted(_sorted(item) for item in value)) + "]"
    return json.dumps(value)
