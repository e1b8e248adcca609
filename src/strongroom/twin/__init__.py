# SPDX-License-Identifier: Apache-2.0
"""An emulated AWS side, for rehearsal and attack on one machine. Nothing below `cli/` imports it."""
