# SPDX-License-Identifier: Apache-2.0
"""How a command ends that the TPM refuses: with a response code. It never leaves `execute`."""

from __future__ import annotations

from strongroom.formats.tpm.response_codes import Rc, on_handle, on_parameter, on_session


class Refused(Exception):  # noqa: N818 -- what the TPM does; the caller sees a response, not an exception
    """The TPM answers with `rc` and does nothing else."""

    def __init__(self, rc: int) -> None:
        super().__init__(f"{rc:#x}")
        self.rc = rc


def handle(code: Rc, number: int) -> Refused:
    """Refuse because of a handle, counted from 1."""
    return Refused(on_handle(code, number))


def parameter(code: Rc, number: int) -> Refused:
    """Refuse because of a parameter, counted from 1."""
    return Refused(on_parameter(code, number))


def session(code: Rc, number: int) -> Refused:
    """Refuse because of a session, counted from 1."""
    return Refused(on_session(code, number))
