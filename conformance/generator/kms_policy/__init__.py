# SPDX-License-Identifier: Apache-2.0
"""The cases of the KMS policy table, by area. Every expected decision was written by hand, from the page it names."""
