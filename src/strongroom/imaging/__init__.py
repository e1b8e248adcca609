# SPDX-License-Identifier: Apache-2.0
"""Builds attestable images and audits images, without root and without loop mounts, by driving external tools."""
