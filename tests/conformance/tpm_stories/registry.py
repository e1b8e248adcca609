# SPDX-License-Identifier: Apache-2.0
"""Every story by its name: the file and the function that tells it."""

from types import ModuleType

from tests.conformance.tpm_differential import Pause, Story
from tests.conformance.tpm_stories import (
    basics,
    contexts,
    hashes,
    hierarchies,
    lockouts,
    nv,
    nv_kinds,
    nv_locks,
    objects,
    order,
    pcrs,
    policies,
    policy_uses,
    primaries,
    sessions,
    shutdowns,
    signatures,
    takeover,
)

MODULES = (
    basics,
    order,
    pcrs,
    nv,
    nv_kinds,
    nv_locks,
    primaries,
    objects,
    signatures,
    hashes,
    sessions,
    policies,
    policy_uses,
    hierarchies,
    contexts,
    lockouts,
    shutdowns,
    takeover,
)


def _stories_of(module: ModuleType) -> dict[str, Story]:
    """A story is a function without parameters, and without a leading underscore."""
    area = module.__name__.rpartition(".")[2]
    return {
        f"{area}.{name}": told
        for name, told in vars(module).items()
        if getattr(told, "__module__", "") == module.__name__
        and not name.startswith("_")
        and not told.__code__.co_argcount
        and not told.__code__.co_kwonlyargcount
    }


STORIES = {name: story for module in MODULES for name, story in _stories_of(module).items()}
WAITING = {name for name, story in STORIES.items() if Pause.__name__ in story.__code__.co_names}
"""Stories that wait, for the TPM's clock to run: seconds each."""
