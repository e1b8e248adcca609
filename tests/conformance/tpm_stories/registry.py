# SPDX-License-Identifier: Apache-2.0
"""Every story by its name: the file and the function that tells it."""

from types import ModuleType

from tests.conformance.tpm_differential import Story
from tests.conformance.tpm_stories import basics, pcrs

MODULES = (basics, pcrs)


def _stories_of(module: ModuleType) -> dict[str, Story]:
    area = module.__name__.rpartition(".")[2]
    return {
        f"{area}.{name}": told
        for name, told in vars(module).items()
        if callable(told) and not name.startswith("_") and getattr(told, "__module__", "") == module.__name__
    }


STORIES = {name: story for module in MODULES for name, story in _stories_of(module).items()}
