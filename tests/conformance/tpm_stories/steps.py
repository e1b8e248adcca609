# SPDX-License-Identifier: Apache-2.0
"""What many stories begin with, and small sequences that they share."""

from tests.conformance.tpm_differential import Shown, Step, Steps, first
from tests.tpm_commands import (
    EMPTY,
    LOCKOUT,
    NONE,
    NULL,
    OWNER,
    SHA256,
    Command,
    Response,
    sized,
    u8,
    u16,
    u32,
)
from tests.tpm_templates import to_create

STARTUP = Step("startup", Command("Startup", (), u16(0)))
HMAC_SESSION, POLICY_SESSION, TRIAL_SESSION = 0, 1, 3
_CREATED = 20
"""In the response to TPM2_CreatePrimary the public area starts here."""


def started() -> Steps:
    yield STARTUP


def patient() -> Steps:
    """Start, and let a caller guess wrong a million times."""
    yield STARTUP
    parameters = u32(1_000_000) + u32(1000) + u32(1000)
    yield Step("patience", Command("DictionaryAttackParameters", (LOCKOUT,), parameters, EMPTY))


def public_part(template: bytes, unique: int) -> Shown:
    """Show a created key up to its unique field, of which the template has that many bytes."""
    return first(_CREATED + len(template) - unique)


def primary(label: str, template: bytes, *, auth: bytes = b"", data: bytes = b"", hierarchy: int = OWNER) -> Steps:
    """Create a primary object; return its response."""
    return (yield Step(label, Command("CreatePrimary", (hierarchy,), to_create(template, auth=auth, data=data), EMPTY)))


def session(label: str, kind: int, *, hash_alg: int = SHA256, symmetric: bytes = u16(NONE)) -> Steps:
    """Start a session that is neither salted nor bound; return its response."""
    parameters = sized(bytes(16)) + sized() + u8(kind) + symmetric + u16(hash_alg)
    return (yield Step(label, Command("StartAuthSession", (NULL, NULL), parameters)))


def flush(label: str, made: Response | int) -> Steps:
    handle = made if isinstance(made, int) else made.handle
    return (yield Step(label, Command("FlushContext", (), u32(handle))))
