# SPDX-License-Identifier: Apache-2.0
"""Bytes to frozen dataclasses and back. No crypto, no clock, no I/O: nothing in here makes anything trustworthy."""
