# SPDX-License-Identifier: Apache-2.0
"""A file tree in one shape, wherever it comes from: a folder, a tar file, layers of a container, a file system."""
