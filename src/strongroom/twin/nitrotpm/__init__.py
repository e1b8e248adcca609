# SPDX-License-Identifier: Apache-2.0
"""An emulated NitroTPM: a TPM 2.0 that firmware, Linux and TPM tools accept, with AWS's vendor command.

A library first: `tpm.NitroTpm.execute` takes a command's bytes and returns the response's. `dispatch` is the way that
every command takes, in numbered steps (Part 3, section 5). On that way:

    registry       what each command takes, and the function that carries it out; `parameters` names its parameters
    lookup         from a handle to what is there
    authorization/ who may do what; `call.Call` is what commands are handed
    commands/      one file for each family of commands
    objects/ nv/ crypto/ capabilities/   what commands have in common
    state/         what the TPM remembers (`chip.Chip`), and how that is kept
    refusal        how a command ends that is refused: a response code, with the number of what was wrong

`profile` says what kind of TPM it is, `nsm` signs its attestation documents, and `faults` breaks either on purpose.
`transports/` carry bytes, and nothing else; `board` is what they hold, with the power switch.

It is for rehearsals. Its secrets lie in a file and in Python's memory; timing and side channels are nobody's concern.
"""
