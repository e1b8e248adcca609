# SPDX-License-Identifier: Apache-2.0
"""Flows of TPM objects that many tests need, on any TPM that has `execute`: what they make, and loaded where."""

from __future__ import annotations

from dataclasses import dataclass

from tests.tpm_commands import EMPTY, OWNER, Response, send, sized, u32
from tests.tpm_templates import SRK_ECC, to_create


def done(response: Response) -> Response:
    """Return a response that says SUCCESS."""
    assert response.code == 0, f"{response.code:#x}"
    return response


def make_primary(tpm, template: bytes = SRK_ECC, hierarchy: int = OWNER, **wish) -> int:
    """Return the handle of a primary object."""
    return done(send(tpm, "CreatePrimary", (hierarchy,), to_create(template, **wish), EMPTY)).handle


@dataclass(frozen=True)
class Blob:
    """What TPM2_Create returns of an object."""

    private: bytes
    public: bytes

    @property
    def parameters(self) -> bytes:
        """The parameters of TPM2_Load."""
        return sized(self.private) + sized(self.public)


def make(tpm, parent: int, template: bytes, **wish) -> Blob:
    """Create an object under a parent with an empty password."""
    response = done(send(tpm, "Create", (parent,), to_create(template, **wish), EMPTY))
    return Blob(response.sized(0), response.sized(1))


def load(tpm, parent: int, blob: Blob) -> int:
    """Return the handle of an object, loaded."""
    return done(send(tpm, "Load", (parent,), blob.parameters, EMPTY)).handle


def make_loaded(tpm, parent: int, template: bytes, **wish) -> int:
    """Create and load, and return the handle."""
    return load(tpm, parent, make(tpm, parent, template, **wish))


def flush(tpm, handle: int) -> None:
    """Flush an object or session."""
    done(send(tpm, "FlushContext", (), u32(handle)))


def public_of(tpm, handle: int) -> bytes:
    """Return the public area of an object."""
    return done(send(tpm, "ReadPublic", (handle,))).sized(0)


def name_of(tpm, handle: int) -> bytes:
    """Return the name of an object."""
    return done(send(tpm, "ReadPublic", (handle,))).sized(1)
