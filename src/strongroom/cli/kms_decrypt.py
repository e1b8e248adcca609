# SPDX-License-Identifier: Apache-2.0
"""`strongroom kms decrypt`: what takes a key pair, a document, `aws kms decrypt --recipient` and openssl otherwise."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from strongroom.cli.aws_values import read_blob, read_map, region_of
from strongroom.cli.findings import finding_members, flag_lines
from strongroom.cli.output import emit, error_console, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.tpm_device import this_tpm
from strongroom.errors import Finding, KeyRefused, Severity, StrongroomError, UsageError
from strongroom.flows.files import PRIVATE_MODE, write_file
from strongroom.formats.pcrs import GATES
from strongroom.formats.tpm.algorithms import Alg
from strongroom.ids import EvidenceBytes, SpkiDer
from strongroom.tpm.connection import Connection
from strongroom.tpm.nitro import NitroTpm
from strongroom.tpm.pcrs import read_pcrs

if TYPE_CHECKING:
    from strongroom.aws.sdk.attested_decrypt import DecryptReply, SdkAttestedDecrypt

_ALGORITHM = click.Choice(("SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE"))
_NO_KEY = Finding(
    "kms.key-not-named",
    "without --key-id KMS decrypts under whatever key the ciphertext names, which may be anybody's (ATTACKS K7)",
    Severity.WARNING,
)


@click.command("decrypt")
@click.option("--ciphertext-blob", "blob", metavar="BLOB", required=True, help="fileb://FILE, file://FILE or base64.")
@click.option("--key-id", default="", metavar="KEY", help="The key, best by its full key ARN: the answer must name it.")
@click.option("--encryption-context", "context", metavar="MAP", help="KEY=VALUE,KEY=VALUE, JSON, or file://FILE.")
@click.option("--encryption-algorithm", "algorithm", metavar="NAME", type=_ALGORITHM, help="Default: KMS's.")
@click.option("--grant-tokens", metavar="TOKEN", multiple=True, help="May be repeated, one token each.")
@click.option("--dry-run", is_flag=True, help="Ask whether KMS would decrypt; no secret is sent.")
@click.option("--region", metavar="REGION", help="Default: that of the key's ARN, or the AWS CLI's.")
@click.option("--profile", metavar="NAME", help="A profile of the AWS CLI.")
@click.option("--endpoint-url", metavar="URL", help="Another endpoint than AWS's.")
@click.option("-o", "--output", type=PATH, help="Write the secret to this file (mode 0600) instead of stdout.")
@json_option
def command(  # noqa: PLR0913 -- options of the AWS CLI
    *,
    blob: str,
    key_id: str,
    context: str | None,
    algorithm: str | None,
    grant_tokens: tuple[str, ...],
    dry_run: bool,
    region: str | None,
    profile: str | None,
    endpoint_url: str | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Decrypt a ciphertext of AWS KMS, as the key's policy allows it to this instance.

    Options are those of `aws kms decrypt`. The rest is done here, in memory: a new RSA key, a document of this
    instance's TPM that carries it, the call with that Recipient, and opening the answer. An answer in plaintext is
    refused, and so is one of another key than the ARN in --key-id.

    The secret is written as it is: to a file, or to stdout where that is no terminal. With --json and without -o it is
    AWS's reply, Plaintext in base64. It exits with 6 where KMS refuses, 7 for the TPM, 8 for the network.

    \b
    Example:  strongroom kms decrypt --key-id ARN --ciphertext-blob fileb://c -o s
              strongroom kms decrypt --key-id ARN --ciphertext-blob BASE64 | app
    """
    if output is None and not dry_run:
        _expect_no_terminal()
    from strongroom.aws.sdk.attested_decrypt import MAX_CIPHERTEXT_BYTES, DecryptCall  # noqa: PLC0415 -- loads boto3

    call = DecryptCall(
        ciphertext=read_blob("--ciphertext-blob", blob, maximum_bytes=MAX_CIPHERTEXT_BYTES),
        key_id=key_id,
        context=read_map("--encryption-context", context) if context else {},
        algorithm=algorithm or "",
        grant_tokens=grant_tokens,
    )
    kms = _kms(profile=profile, region=region or region_of(key_id), endpoint_url=endpoint_url)
    flags = () if key_id else (_NO_KEY,)
    with _told_what_was_attested():
        if dry_run:
            kms.try_out(call)
            _say_it_would(flags, as_json=as_json)
        else:
            _deliver(kms.decrypt(call), output, flags, as_json=as_json)
    for line in flag_lines(flags):
        error_console().print(line, markup=False)


def _expect_no_terminal() -> None:
    """Look before anything is asked: a secret that comes and cannot be shown was asked for in vain."""
    if sys.stdout.isatty():
        raise UsageError(
            "kms.secret-shown",
            "expected -o FILE, or a pipe on stdout: a secret is not shown on a terminal",
            remedy="Use -o FILE, best in a file system in memory, such as /run.",
        )


class _ThisInstance:
    """The NitroTPM of this machine as an `EvidenceSource`: opened for each document, and not while KMS thinks."""

    def attest(
        self, *, public_key: SpkiDer | None = None, nonce: bytes | None = None, user_data: bytes | None = None
    ) -> EvidenceBytes:
        with this_tpm() as tpm:
            return NitroTpm(tpm).attest(public_key=public_key, nonce=nonce, user_data=user_data)


def _kms(*, profile: str | None, region: str | None, endpoint_url: str | None) -> SdkAttestedDecrypt:
    from strongroom.aws.sdk.attested_decrypt import SdkAttestedDecrypt  # noqa: PLC0415
    from strongroom.aws.sdk.session import AwsSession  # noqa: PLC0415

    session = AwsSession(profile=profile, region=region, endpoint_url=endpoint_url)
    return SdkAttestedDecrypt(session.kms(), _ThisInstance())


@contextmanager
def _told_what_was_attested() -> Iterator[None]:
    """Put beside a refusal what KMS does not tell: the PCRs of this instance, to be compared with the key policy."""
    try:
        yield
    except KeyRefused as refusal:
        if refusal.code == "kms.document-expired":
            refusal.add_note("It was the second one: a new document was made when the first was too old.")
        if refusal.code == "kms.access-denied":
            _add_pcrs(refusal)
        raise


def _add_pcrs(refusal: KeyRefused) -> None:
    try:
        with this_tpm() as tpm:
            pcrs = read_pcrs(Connection(tpm), Alg.SHA384, GATES)
    except StrongroomError as error:
        refusal.add_note(f"What the PCRs hold could not be read: {error}")
        return
    for index, digest in pcrs.items():
        refusal.add_note(f"NitroTPMPCR{index} of this instance is {digest.hex()}")


def _deliver(reply: DecryptReply, output: Path | None, flags: tuple[Finding, ...], *, as_json: bool) -> None:
    about: dict[str, object] = {"KeyId": reply.key_id, "EncryptionAlgorithm": reply.algorithm}
    about["findings"] = [finding_members(flag) for flag in flags]
    if output is not None:
        write_file(output, reply.plaintext, mode=PRIVATE_MODE)
        about |= {"written": str(output), "bytes": len(reply.plaintext)}
    elif as_json:
        about["Plaintext"] = base64.b64encode(reply.plaintext).decode()
    else:
        click.echo(reply.plaintext, nl=False)
        return
    emit(
        about,
        as_json=as_json,
        human=lambda out: out.print(f"Wrote {len(reply.plaintext)} bytes to {output}", markup=False),
    )


def _say_it_would(flags: tuple[Finding, ...], *, as_json: bool) -> None:
    emit(
        {"dry_run": True, "findings": [finding_members(flag) for flag in flags]},
        as_json=as_json,
        human=lambda out: out.print("KMS would decrypt it for this instance.", markup=False),
    )
