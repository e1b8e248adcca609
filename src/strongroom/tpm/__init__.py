# SPDX-License-Identifier: Apache-2.0
"""A TPM 2.0 client, no larger than what an instance needs of its NitroTPM (docs/tpm.md).

`nitro` asks for attestation documents, `pcrs` reads PCRs, `sealing` ties a secret to a boot state, `quoting` makes
quotes. Below them: `connection` sends commands, `session` authorizes and encrypts them, `primary` makes the keys, and
`device` is the one file that opens /dev/tpm0. Everything takes a `ports.TpmTransport`.

What the TPM keeps from earlier systems is hostile (ATTACKS B16): no key, NV index or session that was found there is
ever used. Whatever is made is taken away again, after errors too.
"""
