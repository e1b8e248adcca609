# SPDX-License-Identifier: Apache-2.0
"""An emulated NitroTPM: a TPM 2.0 that firmware, Linux and TPM tools accept, with AWS's vendor command.

A library first: `tpm.NitroTpm.execute` takes a command's bytes and returns the response's. `dispatch` is the way that
every command takes, in numbered steps (Part 3, section 5); `commands/` has one file for each family of them. What the
TPM remembers is in `memory`, and `state_file` keeps the lasting part of it. Transports carry bytes, and nothing else.

It is for rehearsals. Its secrets lie in a file and in Python's memory; timing and side channels are nobody's concern.
"""
