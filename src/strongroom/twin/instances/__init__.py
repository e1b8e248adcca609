# SPDX-License-Identifier: Apache-2.0
"""Instances that really boot: a machine under QEMU, with the twin as the AWS around it.

`boots` starts them and ends them; a `booted.BootedInstance` is one of them. `guest` is what answers in its network: the
metadata service, the twin's endpoint under AWS's names, a name server (`names`) and a clock (`time_service`).
"""
