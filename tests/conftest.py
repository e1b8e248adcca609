# SPDX-License-Identifier: Apache-2.0
"""Shared by all tests: where genuine vectors lie, and how hard hypothesis looks."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("guards", deadline=None, max_examples=25, database=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def genuine_vectors() -> Path:
    """The folder of genuine documents, KMS replies, images and event logs, which are not part of the project."""
    return genuine_folder(Path(os.environ.get("STRONGROOM_VECTORS", Path(__file__).parents[2] / "shared/vectors")))


def genuine_folder(folder: Path) -> Path:
    """Return the folder; skip when there is none, and fail when it is there and holds no documents."""
    if not folder.is_dir():
        pytest.skip(f"no genuine vectors at {folder}; name their folder in STRONGROOM_VECTORS")
    if not any((folder / "documents").glob("*.cbor")):
        pytest.fail(f"no documents in {folder}/documents: these are not the genuine vectors")
    return folder
