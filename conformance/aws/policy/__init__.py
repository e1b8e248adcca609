# SPDX-License-Identifier: Apache-2.0
"""Asks an account what the KMS policy table says: each case that needs one key, its principals and one account."""
