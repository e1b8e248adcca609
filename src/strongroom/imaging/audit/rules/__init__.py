# SPDX-License-Identifier: Apache-2.0
"""Every rule, in the order in which findings are shown. To add one, add it to its module's `RULES`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from strongroom.imaging.audit.rule import Rule
from strongroom.imaging.audit.rules import variant

MODULES = (variant,)
"""Each with its `RULES`."""

RULES: Mapping[str, Rule] = MappingProxyType({rule.code: rule for module in MODULES for rule in module.RULES})
"""By code."""
