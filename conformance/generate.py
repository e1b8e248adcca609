# SPDX-License-Identifier: Apache-2.0
"""Write every vector, and the table of rules in README.md, again. Needs the package `cryptography`, 47 or newer.

Example:  python conformance/generate.py             writes conformance/nitrotpm/*.vector and README.md's table
          python conformance/generate.py --into DIR  writes DIR/nitrotpm/*.vector and DIR/README.md
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from generator.cases import ALL  # type: ignore[import-not-found]  # the folder beside this program
from generator.writing import write_all, write_table  # type: ignore[import-not-found]

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--into", type=Path, metavar="DIR", default=HERE, help="where to write (default: beside this)")
    folder: Path = parser.parse_args().into
    count = write_all(ALL, folder / "nitrotpm")
    page = folder / "README.md"
    if page != HERE / "README.md":
        page.write_text((HERE / "README.md").read_text())
    write_table(page)
    sys.stdout.write(f"{count} vectors\n")


if __name__ == "__main__":
    main()
