# SPDX-License-Identifier: Apache-2.0
"""Which of Strongroom's own files one is that `inspect` does not describe, so that its error says where to read on.

A guess for people, by the names of members alone; the readers of these formats never rely on it.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.file_kind import FileKind

_MAX_JSON_BYTES = 1 << 20
_SPEC = "docs/formats"


@dataclass(frozen=True, slots=True)
class OwnFile:
    """One of our formats. `title` follows "this looks like"."""

    title: str
    remedy: str


BUNDLE = OwnFile(FileKind.BUNDLE.value, "docs/formats/bundle.md says what is in it.")
ESCROW = OwnFile(FileKind.ESCROW.value, "docs/formats/bundle.md says what is in it.")
TRUST = OwnFile("a trust file", "It is text; docs/formats/trust.md says what it means.")
KEY_POLICY = OwnFile("the policy of a KMS key", "It is text; docs/formats/key-policy.md says what it means.")
DENY_LIST = OwnFile(
    "a deny list", "It is text; docs/formats/deny-list.md says what it means. Use it with `strongroom verify --deny`."
)
SEALED = OwnFile(
    "a secret that a TPM has sealed",
    "It is text; docs/formats/sealed.md says what it means. `strongroom tpm unseal` opens it, on its machine.",
)
QUOTE = OwnFile("a quote of a TPM", "docs/formats/quote.md says what is in it, and how the library verifies it.")
TWIN_TPM = OwnFile("the state of a twin's TPM", "docs/formats/twin-tpm-state.md says what is in it: secrets, too.")
APPRAISAL_POLICY = OwnFile(
    "an appraisal policy",
    "It is text; docs/formats/appraisal-policy.md says what it means. Use it with `strongroom verify --policy`.",
)
_MARKS = (
    (("signers", "product"), TRUST),
    (("parent", "private"), SEALED),
    (("document", "quote"), QUOTE),
    (("format", "sha256", "state"), TWIN_TPM),
)
"""Names of members that stand together in one of them only."""
_DENIED = ("certificates", "modules", "instances")
_RULES = ("measurements", "pcrs", "max_age", "regions", "instances", "all_of", "any_of")


def own_file(data: bytes, kind: FileKind) -> OwnFile | None:
    """Return which of our formats this looks like; None for anything else."""
    if kind in (FileKind.BUNDLE, FileKind.ESCROW):
        return BUNDLE if kind is FileKind.BUNDLE else ESCROW
    if kind is not FileKind.JSON:
        return None
    try:
        root = strict_json.parse(data, maximum_bytes=_MAX_JSON_BYTES, spec=_SPEC).value
    except FormatError:
        return None  # then it is JSON text, and no more can be said of it
    return _of_members(root) if isinstance(root, dict) else None


def _of_members(root: dict[str, object]) -> OwnFile | None:
    if "Statement" in root:
        return KEY_POLICY
    if "version" not in root:
        return None
    marked = next((kind for marks, kind in _MARKS if all(mark in root for mark in marks)), None)
    if marked:
        return marked
    if any(_names_entries(root.get(key)) for key in _DENIED):
        return DENY_LIST
    return APPRAISAL_POLICY if any(key in root for key in _RULES) else None


def _names_entries(value: object) -> bool:
    """Tell the objects of a deny list from the ids that a policy lists under the same name."""
    return isinstance(value, list) and any(isinstance(entry, dict) and "reason" in entry for entry in value)
