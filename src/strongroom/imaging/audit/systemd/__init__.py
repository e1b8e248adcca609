# SPDX-License-Identifier: Apache-2.0
"""What systemd would do with the unit files, presets and generators of a tree, worked out without running any of it."""
