# SPDX-License-Identifier: Apache-2.0
"""Where the agent's things lie in an image and on a running instance (docs/formats/agent.md)."""

from __future__ import annotations

from typing import Final

LIBRARY: Final = "/usr/lib/strongroom"
"""Measured with the image: it lies in the verity-protected root."""
TRUST_FILE: Final = f"{LIBRARY}/trust.json"
CONFIG_FILE: Final = f"{LIBRARY}/agent.toml"
BUNDLE_FOLDER: Final = f"{LIBRARY}/bundles"
PYTHON_FOLDER: Final = f"{LIBRARY}/python"
"""The agent's own modules and `cryptography`. Not on Python's path: `strongroom-agent` puts it there."""
PROGRAM: Final = "/usr/bin/strongroom-agent"
RUN_FOLDER: Final = "/run/strongroom"
"""On tmpfs, made by systemd for the agent's unit, gone with the boot."""
SECRETS_FOLDER: Final = f"{RUN_FOLDER}/secrets"
"""Where a bundle is delivered unless the configuration says otherwise: in a folder with its name."""
STATUS_FILE: Final = f"{RUN_FOLDER}/.status.json"
"""No folder that bundles are delivered to can be called so."""
CONSOLE: Final = "/dev/console"
BUNDLE_SUFFIX: Final = ".bundle"
