# SPDX-License-Identifier: Apache-2.0
"""Where downloads are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

from strongroom.errors import LocalFault


def cache_folder() -> Path:
    """Return where downloads are kept between runs (XDG Base Directory Specification).

    Raises LocalFault for a user without a home folder.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "strongroom"
    except RuntimeError as error:
        raise LocalFault("cache.no-home", "expected a home folder to keep downloads in, found none") from error
