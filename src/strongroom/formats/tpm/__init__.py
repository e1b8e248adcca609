# SPDX-License-Identifier: Apache-2.0
"""TPM 2.0 structures as they travel (TCG TPM 2.0 Library, Part 2). Big-endian; sizes in front, in bytes.

Both sides use them: the client on an instance (`strongroom.tpm`) and the twin's NitroTPM, which libtpms and tpm2-tools
keep honest. Start with `frame` (a command, a response), then `public_area` (what a key is).
"""
