# SPDX-License-Identifier: Apache-2.0
"""The JSON schema of CycloneDX 1.6 as an oracle, out of the package cyclonedx-python-lib.

Nothing of that package runs: its copies of the schemas are read, and must be the ones that were looked at.
"""

import functools
import hashlib
import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from referencing import Registry, Resource

SHA256 = {
    "bom-1.6": "83821ba49aa366ad1f1d16c34837d05edd010f036f652e310db1c77d57b37c58",
    "spdx": "ea6e844ee6fba1e93473d94834d0ee0996970533497935f932f73d488ffdf4a3",
    "jsf-0.82": "8bae002c25e723db7ee1f26afde680ae1a2b1a8f6b4b4b0fd65dc3becb090aae",
}


@functools.cache
def _validator() -> Draft7Validator:
    schemas = {name: _schema(name) for name in SHA256}
    resources = [(f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json", schemas[name]) for name in schemas]
    registry: Registry[Any] = Registry().with_resources(
        [(uri, Resource.from_contents(schema)) for uri, schema in resources]
    )
    return Draft7Validator(schemas["bom-1.6"], registry=registry, format_checker=Draft7Validator.FORMAT_CHECKER)


def _schema(name: str) -> Any:
    folder = distribution("cyclonedx-python-lib").locate_file("cyclonedx/schema/_res")
    data = (Path(str(folder)) / f"{name}.SNAPSHOT.schema.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHA256[name], f"not the schema {name} that was looked at"
    return json.loads(data)


def faults(bill: Any) -> list[str]:
    """Return what the schema says against a bill of materials."""
    return [f"{'/'.join(map(str, fault.path))}: {fault.message}" for fault in _validator().iter_errors(bill)]
