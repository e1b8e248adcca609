# SPDX-License-Identifier: Apache-2.0
"""Where `strongroom key` gets the policy that it examines: a file, KMS, or the key of a tenant in the project file.

A file is the policy document, or what `aws kms get-key-policy` prints, in which the policy is a string of JSON.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from strongroom.cli.key_project import KeyProject
from strongroom.cli.key_session import chosen_profile
from strongroom.cli.option_group import option_group
from strongroom.cli.paths import PATH, named
from strongroom.cli.project_file import project_option, target_option
from strongroom.errors import FormatError, UsageError
from strongroom.flows.files import read_file
from strongroom.formats import strict_json
from strongroom.formats.arn import KeyArnParts, parse_key_arn
from strongroom.ids import KeyArn, Region
from strongroom.keypolicy.grant_list import MAX_GRANT_LIST_BYTES, parse_grant_list
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.model import KeyPolicy, parse_key_policy_leniently
from strongroom.ports import KeyReader

MAX_POLICY_FILE_BYTES = 262_144
"""A policy of 32,768 bytes as a string of JSON, in which one character may take six (RFC 8259, section 7)."""
_SPEC = "KMS API Reference, GetKeyPolicy"


@dataclass(frozen=True, slots=True)
class KeySource:
    """A key policy and what is known of its key. `name` says in messages where it comes from.

    `text` is the policy document as it was found. `key` is None where a file did not say on which key it hangs,
    `grants` is None where nobody asked for them.
    """

    name: str
    text: str
    policy: KeyPolicy
    key: KeyArnParts | None = None
    grants: tuple[Grant, ...] | None = None

    def expect_key(self) -> KeyArnParts:
        """Return the key. Raises UsageError where only a file was named."""
        if self.key is None:
            raise UsageError(
                "key.no-arn",
                f"expected --key ARN beside {self.name}, found none: whose key it is decides what else must allow",
                remedy="With a file, --key only says on which key the policy hangs; nothing is fetched.",
            )
        return self.key


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """What the options of `key_source_options` say."""

    policy_file: Path | None
    key: str | None
    tenant: str | None
    target: str | None
    project_path: Path
    region: str | None
    profile: str | None
    endpoint_url: str | None

    def read(self, *, with_grants: bool = False) -> KeySource:
        """Return the policy that was chosen, and the grants on the key where KMS is asked and `with_grants`.

        Raises UsageError for options that choose none or several, and what files, the project file and KMS raise.
        """
        self._expect_one()
        key = None if self.key is None else _key_option(self.key)
        if self.policy_file is not None:
            return read_policy_source(self.policy_file, key)
        if key is not None:
            return _from_kms(self._reader(key), key, with_grants=with_grants)
        return self._of_tenant(with_grants=with_grants)

    def _expect_one(self) -> None:
        kinds = {"a FILE": self.policy_file, "--key": self.key, "--tenant": self.tenant}
        given = [name for name, value in kinds.items() if value is not None]
        if given not in (["a FILE"], ["--key"], ["--tenant"], ["a FILE", "--key"]):
            raise UsageError(
                "key.which-policy",
                f"expected a FILE with the policy, --key ARN or --tenant ID, found {' and '.join(given) or 'none'}",
            )
        self._expect_no_other(given)

    def _expect_no_other(self, given: list[str]) -> None:
        """Refuse options that would be of no use: whoever gives them expects KMS, or the project, to be asked."""
        way = {"--region": self.region, "--profile": self.profile, "--endpoint-url": self.endpoint_url}
        useless = {"--target": self.target} if given == ["--key"] else {**way, "--target": self.target}
        found = [name for name, value in useless.items() if value is not None] if given != ["--tenant"] else []
        if found:
            raise UsageError(
                "key.which-policy",
                f"expected no {' and '.join(found)} beside {' and '.join(given)}: nothing asks for it",
            )

    def _of_tenant(self, *, with_grants: bool) -> KeySource:
        project = KeyProject.read(self.project_path, self.target)
        key, target = parse_key_arn(self._key_of(project)), project.target
        reader = _sdk_reader(
            profile=chosen_profile(target, self.profile),
            region=key.region,
            endpoint_url=self.endpoint_url or target.endpoint,
        )
        return _from_kms(reader, key, with_grants=with_grants)

    def _key_of(self, project: KeyProject) -> KeyArn:
        """Return the key of the tenant: in the region that was named, or the only one. Raises UsageError."""
        tenant, target = project.tenant(self.tenant or ""), project.target
        keys = target.keys.get(tenant.id, {})
        if self.region is None and len(keys) > 1:
            raise UsageError("key.which-region", f"expected --region, as {tenant.id} has keys in {', '.join(keys)}")
        key = keys.get(Region(self.region)) if self.region else next(iter(keys.values()), None)
        if key is None:
            raise UsageError(
                "key.no-key",
                f"expected a key of {tenant.id} in {self.region or 'any region'} in target {target.name}, found "
                f"{', '.join(keys) or 'none'}",
                remedy=f"Run `strongroom key create` for {tenant.id}, or write its ARN into the project.",
            )
        return key

    def _reader(self, key: KeyArnParts) -> KeyReader:
        return _sdk_reader(profile=self.profile, region=self.region or key.region, endpoint_url=self.endpoint_url)


def _key_option(text: str) -> KeyArnParts:
    """Return the key that was named. What is no ARN is not a malformed file, but a wrong option. Raises UsageError."""
    try:
        return parse_key_arn(text)
    except FormatError as error:
        raise UsageError(error.code, error.message, remedy=error.remedy) from error


_options = option_group(
    click.argument("policy_file", metavar="[FILE]", type=PATH, required=False),
    click.option("--key", metavar="ARN", help="Read the policy of this key; with FILE: the key on which it hangs."),
    click.option("--tenant", metavar="ID", help="Read the policy of the tenant's key in the project file."),
    click.option("--region", metavar="REGION", help="Default: that of the key's ARN, or the tenant's only one."),
    click.option("--profile", metavar="NAME", help="A profile of the AWS CLI. Default: AWS_PROFILE, or the target's."),
    click.option("--endpoint-url", metavar="URL", help="Another endpoint than the target's, or AWS's."),
    target_option,
    project_option,
)


def key_source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add FILE and the options that choose a policy; the command gets them as `choice`, a KeyChoice."""

    @functools.wraps(command)
    def chosen(
        *,
        policy_file: Path | None,
        key: str | None,
        tenant: str | None,
        target: str | None,
        project_path: Path,
        region: str | None,
        profile: str | None,
        endpoint_url: str | None,
        **others: object,
    ) -> object:
        choice = KeyChoice(policy_file, key, tenant, target, project_path, region, profile, endpoint_url)
        return command(choice=choice, **others)

    return _options(chosen)


def read_grants_file(path: Path) -> tuple[Grant, ...]:
    """Return the grants in a file as `aws kms list-grants` prints them. Raises FormatError, LocalFault."""
    with named(path):
        return parse_grant_list(read_file(path, maximum_bytes=MAX_GRANT_LIST_BYTES))


def policy_text(data: bytes) -> str:
    """Return the policy document in a file: the file itself, or the string in a reply to GetKeyPolicy.

    Raises FormatError for what is no JSON.
    """
    root = strict_json.parse(data, maximum_bytes=MAX_POLICY_FILE_BYTES, spec=_SPEC)
    if isinstance(root.value, dict) and "Policy" in root.value and "Statement" not in root.value:
        return root.record(("Policy",), ("PolicyName",))["Policy"].string()
    return data.decode()


def read_policy_source(path: Path, key: KeyArnParts | None = None) -> KeySource:
    """Return the policy in a file, which hangs on `key`. Raises FormatError, which names the file, and LocalFault."""
    with named(path):
        text = policy_text(read_file(path, maximum_bytes=MAX_POLICY_FILE_BYTES))
        return KeySource(str(path), text, parse_key_policy_leniently(text), key)


def _from_kms(reader: KeyReader, key: KeyArnParts, *, with_grants: bool) -> KeySource:
    text = reader.key_policy(key.arn)
    grants = parse_grant_list(reader.key_grants(key.arn).encode()) if with_grants else None
    name = f"the policy of {key.arn}"
    try:
        return KeySource(name, text, parse_key_policy_leniently(text), key, grants)
    except FormatError as error:
        error.add_note(f"This is {name}, as KMS returned it.")
        raise


def _sdk_reader(*, profile: str | None, region: str, endpoint_url: str | None) -> KeyReader:
    from strongroom.aws.sdk.key_reader import SdkKeyReader  # noqa: PLC0415 -- loads boto3
    from strongroom.aws.sdk.session import AwsSession  # noqa: PLC0415

    return SdkKeyReader(AwsSession(profile=profile, region=region, endpoint_url=endpoint_url).kms())
