# SPDX-License-Identifier: Apache-2.0
"""Roots that somebody else made: a tree in a folder or a tar file, a container image in OCI's layout."""
