# SPDX-License-Identifier: Apache-2.0
"""Making, loading and protecting keys and sealed data (Part 1, sections 22 to 28). Start with `rules` and `creation`.

What an object is stands in `state.objects`: the TPM remembers it.
"""
