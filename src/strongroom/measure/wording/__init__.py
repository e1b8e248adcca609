# SPDX-License-Identifier: Apache-2.0
"""Logged events in words. Each file knows the events of one writer: firmware, its variables, programs, loaders."""
