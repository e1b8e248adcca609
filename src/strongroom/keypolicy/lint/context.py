# SPDX-License-Identifier: Apache-2.0
"""Rules on which ciphertexts a key opens: the encryption context, its epoch, and the algorithm."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.keypolicy.kms_keys import ENCRYPTION_CONTEXT
from strongroom.keypolicy.lint.openings import opens_by_role
from strongroom.keypolicy.lint.rule import BOTH, Rule
from strongroom.keypolicy.lint.subject import Subject
from strongroom.keypolicy.lint.views import ConditionView, Fault, StatementView
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.patterns import has_wildcard
from strongroom.keypolicy.statements import ATTESTED

_PREFIX = ENCRYPTION_CONTEXT.lower()
_OPENS = tuple(action for action in ATTESTED if OPERATIONS[action].takes_context)
_SEALS = ("kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext", "kms:GenerateDataKeyPairWithoutPlaintext")
_ALGORITHMS = ("kms:encryptionalgorithm", "kms:wrappingalgorithm")
_WEAK = frozenset({"rsaes_oaep_sha_1", "rsaes_pkcs1_v1_5", "rsa_aes_key_wrap_sha_1"})
_AGES = ("epoch", "version", "generation")


def opens_any_context(subject: Subject) -> Iterator[Fault]:
    """Yield each opening that takes ciphertexts of any encryption context."""
    for view in subject.allows:
        found = [action for action in _OPENS if action in view.covered - subject.shut]
        if found and not any(_pins_context(subject, view, found)):
            yield view.fault(view.path, f"allows {', '.join(found)} under any encryption context")


def seals_any_context(subject: Subject) -> Iterator[Fault]:
    """Yield each statement that lets somebody wrap under any encryption context."""
    for view in subject.allows:
        found = [action for action in _SEALS if action in view.covered - subject.shut]
        if found and not any(_pins_context(subject, view, found)):
            yield view.fault(view.path, f"allows {', '.join(found)} under any encryption context")


def no_epoch(subject: Subject) -> Iterator[Fault]:
    """Yield each opening whose context has no epoch or version: what was sealed once opens for ever."""
    for view in subject.allows:
        found = [action for action in _OPENS if action in view.covered - subject.shut]
        pinned = list(_pins_context(subject, view, found))
        if found and pinned and not opens_by_role(view, subject) and not any(map(_is_age, pinned)):
            yield view.fault(pinned[0].path, "opens what was sealed for any epoch")


def _pins_context(subject: Subject, view: StatementView, actions: list[str]) -> Iterator[ConditionView]:
    yield from (each for each in view.on(_PREFIX) if each.exact)
    around = [{each.lookup: each for each in subject.fences.get(action, ()) if each.negated} for action in actions]
    for lookup in set.intersection(*map(set, around)) if around else ():
        if lookup.startswith(_PREFIX):
            yield around[0][lookup]


def _is_age(each: ConditionView) -> bool:
    return any(word in each.lookup.removeprefix(_PREFIX) for word in _AGES)


def context_pattern(subject: Subject) -> Iterator[Fault]:
    """Yield conditions on the context that a pattern or names alone make wide."""
    for view in subject.allows:
        for each in view.on(_PREFIX):
            if (
                each.demands
                and each.base is not None
                and "Like" in each.base.name
                and any(map(has_wildcard, each.values))
            ):
                yield view.fault(each.path, f"takes every {each.key} like {each.values[0]!r}")


def weak_algorithm(subject: Subject) -> Iterator[Fault]:
    """Yield each Allow that names an RSA padding that is not OAEP with SHA-256."""
    for view in subject.allows:
        for each in view.on(*_ALGORITHMS):
            weak = [value for value in each.values if value.lower() in _WEAK]
            if weak and not each.unread and not each.negated:
                yield view.fault(each.path, f"takes {weak[0]}")


RULES: tuple[Rule, ...] = (
    Rule(
        code="lint.no-context",
        severity=Severity.WARNING,
        title="The key opens ciphertexts of any encryption context, so they can be swapped for each other",
        fix="Compare kms:EncryptionContext:NAME for what tells your secrets apart: product, tenant, purpose, name, "
        "epoch.",
        attacks=("K7", "K8"),
        check=opens_any_context,
    ),
    Rule(
        code="lint.seals-any-context",
        severity=Severity.WARNING,
        title="Who wraps secrets may give them any encryption context",
        fix="Compare kms:EncryptionContext:NAME in the Allow of Encrypt, with the tenant that this key is for.",
        attacks=("K7",),
        check=seals_any_context,
    ),
    Rule(
        code="lint.context-pattern",
        severity=Severity.WARNING,
        title="A field of the encryption context is compared with a pattern",
        fix="List the values in full.",
        attacks=("K8",),
        kinds=BOTH,
        check=context_pattern,
    ),
    Rule(
        code="lint.no-epoch",
        severity=Severity.WARNING,
        title="The encryption context has no epoch: withdrawn bundles open for ever",
        fix="Put an epoch into the context, compare it, and deny every other: raise it to shut what was sealed before.",
        attacks=("K16",),
        check=no_epoch,
    ),
    Rule(
        code="lint.weak-algorithm",
        severity=Severity.WARNING,
        title="An RSA padding is allowed that is not OAEP with SHA-256",
        fix="Allow RSAES_OAEP_SHA_256 or a symmetric key alone.",
        attacks=("K18",),
        kinds=BOTH,
        check=weak_algorithm,
    ),
)
