# SPDX-License-Identifier: Apache-2.0
"""How programs reach the emulated NitroTPM: the two channels of swtpm, and a device file.

QEMU's `tpmdev emulator` speaks swtpm's, over unix sockets or loopback TCP, and so does the TCTI `swtpm` of tpm2-tools:
`data_channel` carries commands and responses, `control_channel` what a board does to a TPM: power, locality.
`pty_device` is for programs that open a path such as /dev/tpm0. `server` listens for all of them.
"""
