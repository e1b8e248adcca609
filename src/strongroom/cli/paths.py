# SPDX-License-Identifier: Apache-2.0
"""How commands take paths: as they are written. What is wrong with one is found out, and said, where it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

PATH: Final = click.Path(path_type=Path, readable=False)
"""`readable=False` asks click for no look at the file: it would call an unreadable one a usage error (exit 2)."""
