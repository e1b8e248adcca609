# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on. Without it they mean nothing."""

from __future__ import annotations

import os
import platform
import re
import ssl
from importlib.metadata import version
from pathlib import Path

from cryptography.hazmat.backends.openssl import backend


def describe_machine() -> dict[str, str]:
    """Return the processor, the software that does the arithmetic, and how busy the machine is right now."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f} (average of the last minute, before the run)",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "signatures": f"cryptography {version('cryptography')}, {backend.openssl_version_text()}",
        "digests": f"hashlib, {ssl.OPENSSL_VERSION}",
    }


def _processor() -> str:
    names = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*: (.+)$", names.read_text(), re.MULTILINE) if names.exists() else None
    return found[1] if found else platform.processor() or "unknown"
