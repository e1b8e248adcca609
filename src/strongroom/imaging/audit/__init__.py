# SPDX-License-Identifier: Apache-2.0
"""Looks through an image, or any file tree, for ways in for the account's owner, and for what leaks."""
