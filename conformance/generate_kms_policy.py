# SPDX-License-Identifier: Apache-2.0
"""Write the KMS policy table: `python conformance/generate_kms_policy.py [--into FOLDER]`. Same bytes on every machine.

The cases are in `generator/kms_policy`; kms-policy/README.md says what a case is. Needs nothing but Python 3.11.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from conformance.generator.kms_policy import access, around, keys, language  # noqa: E402 -- found by the line above

AREAS = (access, language, keys, around)


def tables() -> dict[str, str]:
    """Return each file's name and text."""
    found = {}
    for area in AREAS:
        for group, cases in area.GROUPS.items():
            body = {"group": group, "cases": [case.json() for case in cases]}
            found[f"{group}.json"] = json.dumps(body, indent=1, ensure_ascii=True) + "\n"
    return found


def main() -> None:
    """Write all files, and remove what is there besides."""
    parser = argparse.ArgumentParser(description="Write the KMS policy table.")
    parser.add_argument("--into", type=Path, default=HERE, help="the folder in which kms-policy is written")
    folder = parser.parse_args().into / "kms-policy"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = tables()
    for name, text in wanted.items():
        (folder / name).write_text(text)
    for path in folder.glob("*.json"):
        if path.name not in wanted:
            path.unlink()


if __name__ == "__main__":
    main()
