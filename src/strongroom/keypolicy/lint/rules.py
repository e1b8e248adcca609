# SPDX-License-Identifier: Apache-2.0
"""Every rule, in the order in which findings are shown. To add one, add it to its module's `RULES`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from strongroom.keypolicy.lint import callers, context, digests, doors, form, gates, whole
from strongroom.keypolicy.lint.rule import Rule

RULES: Mapping[str, Rule] = MappingProxyType(
    {rule.code: rule for module in (whole, gates, digests, doors, callers, context, form) for rule in module.RULES}
)
"""By code."""
