# SPDX-License-Identifier: Apache-2.0
"""NV indices: how they may look, who may read and write them, and what a start does to them (Part 1, section 37)."""
