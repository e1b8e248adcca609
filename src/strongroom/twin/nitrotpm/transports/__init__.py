# SPDX-License-Identifier: Apache-2.0
"""How programs reach the emulated NitroTPM: the two channels of swtpm, over unix sockets and loopback TCP.

QEMU's `tpmdev emulator` speaks them, and so does the TCTI `swtpm` of tpm2-tools. `data_channel` carries commands and
responses, `control_channel` what a board does to a TPM: power, locality. `server` listens for both.
"""
