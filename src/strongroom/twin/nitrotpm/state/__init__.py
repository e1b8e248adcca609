# SPDX-License-Identifier: Apache-2.0
"""What the TPM remembers, and how that leaves it: start with `chip`.

`file` and `values` keep the lasting part on disk; `context_blob` and `records` are for saved contexts.
"""
