# SPDX-License-Identifier: Apache-2.0
"""EC2's images and snapshots, where moto keeps too little of them: boot mode, TPM, UEFI data, real snapshots, sharing.

The way of a call: `service` looks whether it is about an image or a snapshot of ours, reads it (`query`), asks the
caller's policies and hands it on; everything else goes to moto. Lists have what both know (`beside_moto`).
"""
