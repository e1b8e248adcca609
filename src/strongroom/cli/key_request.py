# SPDX-License-Identifier: Apache-2.0
"""The request that `key simulate` and `key explain` try out: from options to the domain's types."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from strongroom.appraisal.evidence import AtDocumentTime
from strongroom.cli.aws_values import read_map
from strongroom.cli.expectations import read_time
from strongroom.cli.key_document import DOCUMENT_OPTIONS, Document, DocumentChoice, age_notices
from strongroom.cli.key_notices import notices_of
from strongroom.cli.key_policies import POLICY_OPTIONS, PolicyFiles
from strongroom.cli.key_source import KeySource
from strongroom.cli.option_group import option_group
from strongroom.errors import Finding, UsageError
from strongroom.formats.arn import KeyArnParts
from strongroom.ids import KeyArn, Region
from strongroom.keypolicy.callers import read_caller
from strongroom.keypolicy.condition_key import Source
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.context import Call, Sender, kms_request
from strongroom.keypolicy.explain.facts import CALLER_KEYS
from strongroom.keypolicy.explain.inquiry import Inquiry
from strongroom.keypolicy.key_facts import KeyFacts
from strongroom.keypolicy.operations import OPERATIONS, PREFIX
from strongroom.keypolicy.request import KmsRequest

_OWN_OPTION = {Source.DOCUMENT: "--document or --measurements", Source.CONTEXT: "--context", Source.CLOCK: "--at"}
DEFAULT_ACTION = "kms:Decrypt"
_ANYWHERE = Region("us-east-1")
"""For operations without a key: no condition of a key policy asks where GenerateRandom is called."""


@dataclass(frozen=True, slots=True)
class RequestOptions:
    """What the options say of the request and of who speaks about it."""

    action: str
    caller: str | None
    caller_role: str
    caller_id: str
    context: tuple[str, ...]
    at: str | None
    set: tuple[str, ...]
    via_service: str
    document: DocumentChoice
    policies: PolicyFiles

    @property
    def full_action(self) -> str:
        """Return the action with its prefix. Raises UsageError for one that KMS does not have."""
        found = self.action if self.action.startswith(PREFIX) else PREFIX + self.action
        if found not in OPERATIONS:
            raise UsageError("keypolicy.request-action", f"expected an action of KMS, found {self.action!r}")
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of `evaluate`, and what the reader of its answer should know."""

    inquiry: Inquiry
    notices: tuple[Finding, ...]


def ask(options: RequestOptions, source: KeySource, document: Document | None = None) -> Asked:
    """Return the inquiry, with another document than the options name, if one is given.

    Raises UsageError, FormatError, NotAuthentic, NotTrusted, LocalFault.
    """
    at = None if options.at is None else read_time(options.at, now=datetime.now(UTC))
    document = document or options.document.read(at)
    now = _now(at, document)
    call = _call(options, source, document, now)
    request = with_facts(kms_request(call), options.set)
    return inquiry_about(request, options, source, (*document.notices, *age_notices(document, now)))


def inquiry_about(
    request: KmsRequest, options: RequestOptions, source: KeySource, notices: Sequence[Finding] = ()
) -> Asked:
    """Return the inquiry about a request that is known already."""
    policies = options.policies.read(source)
    if request.key_arn is None:
        policies = replace(policies, key_policy=None, grants=())
    inquiry = Inquiry(request, policies)
    assumed = notices_of(inquiry, rights_assumed=options.policies.assumes_rights)
    return Asked(inquiry, (*assumed, *notices, *options.policies.notices(source)))


def _now(at: datetime | AtDocumentTime | None, document: Document) -> datetime:
    if isinstance(at, datetime):
        return at
    if at is None:
        return datetime.now(UTC)
    if document.made is None:
        raise UsageError("key.no-document-time", "expected --document with --at document, found none")
    return document.made


def _call(options: RequestOptions, source: KeySource, document: Document, now: datetime) -> Call:
    if options.caller is None:
        raise UsageError(
            "key.no-caller",
            "expected --caller, found none",
            remedy="The ARN of a user, a role, a role session or an account's root, an account id, or a service.",
        )
    key = source.expect_key() if OPERATIONS[options.full_action].on_key else source.key
    return Call(
        options.full_action,
        read_caller(
            options.caller,
            role=options.caller_role,
            unique_id=options.caller_id,
            partition=key.partition if key else "aws",
        ),
        _key_of(options.full_action, key),
        now,
        Sender(key.region if key else _ANYWHERE, via_service=options.via_service),
        attestation=document.attestation,
        encryption_context=read_context(options.context),
        key=key_facts(options.full_action),
    )


def key_facts(action: str) -> KeyFacts | None:
    """Return a symmetric key that KMS made, for operations that mostly meet one; of others nothing is known."""
    return KeyFacts() if OPERATIONS[action].takes_context else None


def _key_of(action: str, key: KeyArnParts | None) -> KeyArn | None:
    return key.arn if key is not None and OPERATIONS[action].on_key else None


def read_context(given: Sequence[str]) -> dict[str, str]:
    """Return the encryption context of all --context together. Raises UsageError for a key that stands twice."""
    found: dict[str, str] = {}
    for text in given:
        pairs = read_map("--context", text)
        if found.keys() & pairs.keys():
            raise UsageError("usage.map", "expected each key once in --context, found one twice")
        found |= pairs
    return found


def with_facts(request: KmsRequest, given: Sequence[str]) -> KmsRequest:
    """Return the request with the condition keys that --set names. Raises UsageError."""
    facts: dict[str, tuple[str, ...]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError("key.set", f"expected --set KEY=VALUE, found {text!r}")
        _expect_free(name)
        facts[name.lower()] = (*facts.get(name.lower(), ()), value)
    return replace(request, context={**_without_other_way(request.context, facts), **facts}) if facts else request


def _expect_free(name: str) -> None:
    row = find_condition_key(name)
    if row is None:
        raise UsageError("key.set", f"expected a condition key that a request to KMS can have, found {name!r}")
    option = "--caller" if name.lower() in CALLER_KEYS else _OWN_OPTION.get(row.source)
    if option is not None:
        raise UsageError("key.set", f"expected {option} for {row.name}, found --set")


def _without_other_way(
    context: Mapping[str, tuple[str, ...]], facts: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Return a context without `aws:SourceIp` where the request comes through a VPC endpoint, which hides it."""
    hidden = "aws:sourceip" if "aws:sourcevpce" in facts else ""
    return {key: values for key, values in context.items() if key != hidden}


_REQUEST_OPTIONS = (
    click.option("--action", default=DEFAULT_ACTION, show_default=True, metavar="NAME", help="The action of KMS."),
    click.option("--caller", metavar="ARN", help="Who asks: a user, role, role session, root, account id or service."),
    click.option("--caller-role", default="", metavar="ARN", help="The role of a session, where it has a path."),
    click.option("--caller-id", default="", metavar="ID", help="The caller's unique id (AROA…, AIDA…)."),
    click.option(
        "--context", multiple=True, metavar="MAP", help="Encryption context: KEY=VALUE,… or JSON; repeatable."
    ),
    click.option("--at", metavar="TIME", help="When: now (the default), document, or RFC 3339."),
    click.option(
        "--set", multiple=True, metavar="KEY=VALUE", help="Any other condition key, as aws:SourceVpce=vpce-1."
    ),
    click.option(
        "--via-service", default="", metavar="NAME", help="kms:ViaService, as ec2.eu-central-1.amazonaws.com."
    ),
)


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a request and its policies; the command gets them as `asked`, a RequestOptions."""

    @functools.wraps(command)
    def gathered(  # noqa: PLR0913 -- one per option
        *,
        action: str,
        caller: str | None,
        caller_role: str,
        caller_id: str,
        context: tuple[str, ...],
        at: str | None,
        set: tuple[str, ...],  # noqa: A002 -- the option's name
        via_service: str,
        document: Path | None,
        measurements: Path | None,
        no_document: bool,
        enclave: bool,
        root: tuple[Path, ...],
        identity_policy: tuple[Path, ...],
        no_identity_policy: bool,
        boundary: Path | None,
        session_policy: tuple[Path, ...],
        scp: tuple[str, ...],
        rcp: tuple[str, ...],
        endpoint_policy: Path | None,
        grants: Path | None,
        **others: object,
    ) -> object:
        of_document = DocumentChoice(document, measurements, no_document, enclave, root)
        files = PolicyFiles(
            identity_policy, no_identity_policy, boundary, session_policy, scp, rcp, endpoint_policy, grants
        )
        asked = RequestOptions(
            action, caller, caller_role, caller_id, context, at, set, via_service, of_document, files
        )
        return command(asked=asked, **others)

    return option_group(*_REQUEST_OPTIONS, *DOCUMENT_OPTIONS, *POLICY_OPTIONS)(gathered)
