# SPDX-License-Identifier: Apache-2.0
"""Rules that find the holes of key policies: `linter.lint` applies them, `rules.RULES` are all of them."""
