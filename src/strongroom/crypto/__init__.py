# SPDX-License-Identifier: Apache-2.0
"""The only importer of `cryptography` in production code; `verify_*` raises `NotAuthentic` or returns."""
