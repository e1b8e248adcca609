# SPDX-License-Identifier: Apache-2.0
"""What secrets look like: private keys, keys of AWS, tokens of services, and files that programs keep passwords in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_KEY = re.compile(
    rb"-----BEGIN ((?:[A-Z0-9]+ ){0,3})PRIVATE KEY(?: BLOCK)?-----(?:\r?\n|\\n)"
    rb"(?:[A-Za-z-]{1,40}: [^\n]{0,200}\n){0,8}\s{0,4}[A-Za-z0-9+/=]{24}"
)
"""The frame of RFC 7468 and RFC 4880 with some of what it holds: every library that reads keys has the frame alone.

In JSON the line ends are written as a backslash and an n.
"""
_AWS_KEY_ID = re.compile(rb"(?<![A-Za-z0-9/+])(?:AKIA|ASIA)[A-Z2-7]{16}(?![A-Za-z0-9/+=])")
_TOKENS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("of GitHub", re.compile(rb"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{60,})\b")),
    ("of GitLab", re.compile(rb"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("of Slack", re.compile(rb"\bxox[bp]-[0-9]{8,}-[0-9A-Za-z-]{16,}")),
    ("of Google", re.compile(rb"\bAIza[A-Za-z0-9_-]{35}\b")),
    ("of Stripe", re.compile(rb"\bsk_live_[A-Za-z0-9]{20,}")),
    ("of npm", re.compile(rb"\bnpm_[A-Za-z0-9]{36}\b")),
    ("of PyPI", re.compile(rb"\bpypi-AgE[A-Za-z0-9_-]{50,}")),
    ("of Anthropic", re.compile(rb"\bsk-ant-[A-Za-z0-9_-]{20,}")),
    ("of Vault", re.compile(rb"\bhvs\.[A-Za-z0-9_-]{24,}")),
    ("of DigitalOcean", re.compile(rb"\bdop_v1_[0-9a-f]{64}\b")),
    ("of SendGrid", re.compile(rb"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}\b")),
    ("of age, its secret key", re.compile(rb"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b")),
)
_EXAMPLE = re.compile(rb"EXAMPLE|0{8}|x{8}|X{8}")


def private_keys(contents: bytes) -> Iterator[tuple[int, str]]:
    """Yield line and kind of each private key."""
    for found in _KEY.finditer(contents):
        yield _line(contents, found.start()), found[1].decode().strip().lower() or "PKCS #8"


def aws_keys(contents: bytes) -> Iterator[tuple[int, str]]:
    """Yield line and shortened id of each access key of AWS (IAM User Guide, "unique identifiers")."""
    for found in _AWS_KEY_ID.finditer(contents):
        if not _EXAMPLE.search(found[0]):
            yield _line(contents, found.start()), f"{found[0][:4].decode()}…"


def tokens(contents: bytes) -> Iterator[tuple[int, str]]:
    """Yield line and kind of each token of a service."""
    for what, pattern in _TOKENS:
        for found in pattern.finditer(contents):
            if not _EXAMPLE.search(found[0]):
                yield _line(contents, found.start()), what


def _line(contents: bytes, offset: int) -> int:
    return contents.count(b"\n", 0, offset) + 1


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file that a program keeps secrets in. It counts where `holds` is found in it."""

    name: re.Pattern[str]
    """Of the end of its path."""
    holds: re.Pattern[bytes]
    what: str


def _file(name: str, holds: str, what: str) -> SecretFile:
    return SecretFile(re.compile(f"(?:{name})$"), re.compile(holds.encode(), re.IGNORECASE | re.MULTILINE), what)


_ANYTHING = r"[^\s\0]"
FILES = (
    _file(r"/[._]netrc", r"\bpassword\b", "a password for a network host"),
    _file(r"/\.git-credentials", r"://[^/\s]+:[^@\s]+@", "a password for a Git server"),
    _file(
        r"/\.docker/config\.json|/\.dockercfg|/containers/auth\.json", r'"auth"\s*:\s*"[^"]', "a registry's password"
    ),
    _file(r"/\.?npmrc", r"_auth(Token)?\s*=\s*[^\s$]", "a token for a package registry"),
    _file(r"/\.pypirc", r"^\s*password\s*[:=]\s*\S", "a password for a package index"),
    _file(r"/pip\.conf|/\.?pip/pip\.ini", r"://[^/\s$]+:[^@\s$]+@", "a password for a package index"),
    _file(r"/\.aws/credentials", r"aws_secret_access_key\s*=\s*\S|aws_session_token\s*=\s*\S", "a key of AWS"),
    _file(r"/\.aws/(sso|cli)/cache/[^/]+\.json", r'"(accessToken|SecretAccessKey)"', "a session of AWS"),
    _file(r"/\.kube/config|/kubeconfig", r"client-key-data:|\btoken:\s*\S", "a key for a cluster"),
    _file(r"/gcloud/(credentials\.db|application_default_credentials\.json)", _ANYTHING, "a key of Google Cloud"),
    _file(r"/\.config/gh/hosts\.yml", r"oauth_token:\s*\S", "a token of GitHub"),
    _file(r"/\.vault-token", _ANYTHING, "a token of Vault"),
    _file(r"/credentials\.tfrc\.json|/\.terraformrc", r"\btoken\b", "a token of Terraform"),
    _file(r"/\.cargo/credentials(\.toml)?", r"^\s*token\s*=", "a token for a package registry"),
    _file(r"/\.m2/settings\.xml", r"<password>[^<$]", "a password for a package registry"),
    _file(r"/etc/apt/auth\.conf(\.d/[^/]+)?", r"\bpassword\s+\S", "a password for a package server"),
    _file(r"/etc/apt/sources\.list(\.d/[^/]+)?", r"://[^/\s]+:[^@\s]+@", "a password for a package server"),
    _file(
        r"/etc/yum\.repos\.d/[^/]+", r"^\s*password\s*=\s*\S|://[^/\s$]+:[^@\s$]+@", "a password for a package server"
    ),
    _file(r"/\.pgpass", r"^[^#\s][^\n]*:[^:\n]+$", "a password for a database"),
    _file(r"/\.?my\.cnf", r"^\s*password\s*=\s*\S", "a password for a database"),
    _file(
        r"/rclone\.conf|/\.s3cfg|/\.boto",
        r"^\s*(secret_\w*key|pass|gs_\w*secret\w*|aws_secret\w*)\s*=\s*\S",
        "a key for storage",
    ),
    _file(r"/system-connections/[^/]+|/wpa_supplicant[^/]*\.conf", r"^\s*psk\s*=\s*\S", "a key for a wireless network"),
    _file(r"/wireguard/[^/]+\.conf", r"^\s*PrivateKey\s*=\s*\S", "a private key of WireGuard"),
    _file(r"/systemd/credential\.secret", _ANYTHING, "systemd's own key for credentials"),
    _file(r"/private-keys-v1\.d/[^/]+\.key", _ANYTHING, "a private key of GnuPG"),
)
HISTORIES = re.compile(
    r"/\.(bash|zsh|sh|ash|ksh|python|mysql|psql|sqlite|node_repl|irb|rediscli)_history$|/\.(histfile|viminfo|lesshst)$"
    r"|/fish_history$"
)
ENV_FILE = re.compile(r"/(\.env(\.[a-z]+)?|[a-z0-9_-]+\.env)$")
NO_ENV_FILE = re.compile(r"\.(example|sample|template|dist)$")
ASSIGNED_SECRET = re.compile(
    r"\s*(?:export\s+)?([A-Za-z0-9_]*(?:SECRET|TOKEN|PASSWORD|PASSWD|API_?KEY|PRIVATE_KEY|CREDENTIAL)[A-Za-z0-9_]*)"
    r"\s*=\s*[\"']?([^\s\"'#$<{%][^\s\"']{3,})",
    re.IGNORECASE,
)
"""A name that says secret, and a value that is written out."""
PLACEHOLDERS = re.compile(r"(?i)(change|replace|your|example|none|null|true|false|xxx|\*\*\*|/|placeholder|secret$)")
KEY_STORES = re.compile(r"\.(p12|pfx|jks|keystore|kdbx)$")
