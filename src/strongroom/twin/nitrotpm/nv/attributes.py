# SPDX-License-Identifier: Apache-2.0
"""Changing the attributes of an NV index: it has another name then."""

from __future__ import annotations

from dataclasses import replace

from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.nv_public import NvPublic

_NONE = NvAttributes(0)


def with_attributes(public: NvPublic, *, add: NvAttributes = _NONE, remove: NvAttributes = _NONE) -> NvPublic:
    """Return the public area with attributes set and cleared."""
    return replace(public, attributes=public.attributes & ~remove | add)
