# SPDX-License-Identifier: Apache-2.0
"""A machine under QEMU as EC2 shows it: an NVMe disk, UEFI that measures, a NitroTPM, a serial line, a network.

`machine` powers one on and says how it ended; `hardware` is what differs between machines, `variables` their UEFI
variables. `namespace` keeps a machine's network apart from this one's: what the guest reaches is what is listened for
inside, and `inside` is the program that begins there and becomes QEMU. `console`, `monitor` and `forwarding` are the
three ways to it from outside. Nothing of it knows of AWS; `strongroom.twin.instances` does.
"""
