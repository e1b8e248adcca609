# SPDX-License-Identifier: Apache-2.0
"""What the TPM computes with keys: signatures, encryption, tickets, and signed statements (Part 1, annexes B and C).

Start with `keys`, which turns objects into keys of `cryptography`.
"""
