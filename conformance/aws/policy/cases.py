# SPDX-License-Identifier: Apache-2.0
"""The cases of conformance/kms-policy, and the same cases in the words of the account that is asked.

In the table the account is 111122223333, the Region us-west-2, and principals have names such as `app`. In an account
all names begin with what is the probe's own, in policies, patterns and condition values alike, so that `role/a*` still
means the role `app`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "kms-policy"
ACCOUNT, REGION = "111122223333", "us-west-2"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
_NAMED = re.compile(r"([:*](?:user|role|assumed-role)/)")
_OWN = re.compile(rf"arn:aws:(?:iam|sts)::{ACCOUNT}:(user|role|assumed-role)/([\w+=,.@-]+)(?:/([\w+=,.@-]+))?")
_PREFIXES = ("kms:encryptioncontext:", "kms:recipientattestation:", "aws:principaltag/", "aws:resourcetag/")
_VARIABLE = re.compile(r"\$\{([^},]+)")
Json = dict[str, Any]


@cache
def load_cases() -> tuple[Json, ...]:
    """Return every case of the table. Raises RuntimeError when there is none."""
    cases = [case for file in sorted(FOLDER.glob("*.json")) for case in json.loads(file.read_text())["cases"]]
    if not cases:
        raise RuntimeError(f"no table in {FOLDER}")
    return tuple(cases)


@dataclass(frozen=True, order=True)
class Name:
    """A user or role of the table's account; of a role's session, its name as well."""

    kind: str
    name: str
    session: str = ""


def own_principal(arn: str) -> Name | None:
    """Return the user, role or session of the table's account that an ARN names, without wildcards or paths."""
    found = _OWN.fullmatch(arn)
    if not found or bool(found[3]) != (found[1] == "assumed-role"):
        return None
    return Name("user" if found[1] == "user" else "role", found[2], found[3] or "")


def policies(case: Json) -> Iterator[Json]:
    """Yield the policies of a case that somebody wrote for key and caller."""
    if case["key_policy"] is not None:
        yield case["key_policy"]
    yield from case["identity_policies"]


def statements(policy: Json | None) -> list[Json]:
    """Return the statements of a policy."""
    found = policy["Statement"] if policy else []
    return [found] if isinstance(found, dict) else list(found)


def condition_keys(case: Json) -> set[str]:
    """Return the condition keys that policies ask for, in conditions and in variables, in lower case."""
    asked = {
        key.lower()
        for policy in policies(case)
        for statement in statements(policy)
        for block in statement.get("Condition", {}).values()
        for key in block
    }
    return asked | {name.lower() for policy in policies(case) for name in _VARIABLE.findall(json.dumps(policy))}


def shown(case: Json) -> dict[str, str | list[str]]:
    """Return the condition context of a case with keys in lower case, but for what is a name of the caller's."""
    context: dict[str, str | list[str]] = case["request"]["context"]
    return {_plain(name): value for name, value in context.items()}


def _plain(name: str) -> str:
    lower = name.lower()
    prefix = next((each for each in _PREFIXES if lower.startswith(each)), "")
    return prefix + name[len(prefix) :] if prefix else lower


def listed(value: Any) -> list[Any]:
    """Return what may stand alone or in a list as a list."""
    return value if isinstance(value, list) else [value]


def principals_named(case: Json) -> set[str]:
    """Return the AWS principals that the key policy names and the grantees and retiring principals of grants."""
    found: set[str] = set()
    for statement in statements(case["key_policy"]):
        for element in ("Principal", "NotPrincipal"):
            members = statement.get(element, {})
            found |= {"*"} if members == "*" else set(listed(members.get("AWS", [])))
    for grant in grants(case):
        found |= {grant[name] for name in ("GranteePrincipal", "RetiringPrincipal") if name in grant}
    return found


def grants(case: Json) -> list[Json]:
    """Return the grants of the key, and the one that the request makes or retires."""
    asked = asked_grant(case)
    return [*case.get("grants", ()), *([asked] if asked else ())]


def asked_grant(case: Json) -> Json | None:
    """Return the grant that CreateGrant makes or RetireGrant retires, from the context where the case has no other."""
    if "grant" in case["request"] or case["request"]["action"] != "kms:CreateGrant":
        found: Json | None = case["request"].get("grant")
        return found
    context = shown(case)
    grant: Json = {
        "KeyId": KEY,
        "IssuingAccount": f"arn:aws:iam::{ACCOUNT}:root",
        "GranteePrincipal": context.get("kms:granteeprincipal", case["request"]["caller"]["arn"]),
        "Operations": context.get("kms:grantoperations", ["Encrypt"]),
    }
    if "kms:retiringprincipal" in context:
        grant["RetiringPrincipal"] = context["kms:retiringprincipal"]
    pairs = encryption_context(case)
    constraint = context.get("kms:grantconstrainttype", "EncryptionContextSubset" if pairs else "")
    return {**grant, "Constraints": {constraint: pairs or {"probe": "1"}}} if constraint else grant


def encryption_context(case: Json) -> dict[str, str]:
    """Return the encryption context of a case by the condition keys that show it."""
    prefix = "kms:encryptioncontext:"
    return {name[len(prefix) :]: str(value) for name, value in shown(case).items() if name.startswith(prefix)}


def translated(value: Any, *, account: str, region: str, partition: str, prefix: str) -> Any:
    """Return a part of a case in the words of an account. The key's ARN stays for `with_key` to replace."""
    text = json.dumps(value).replace(KEY, "{key}")
    text = _NAMED.sub(lambda found: found[1] + prefix, text)
    text = text.replace(ACCOUNT, account).replace(REGION, region).replace("arn:aws:", f"arn:{partition}:")
    return json.loads(text)


def with_key(value: Any, arn: str) -> Any:
    """Return a translated part of a case with the key's ARN in it."""
    return json.loads(json.dumps(value).replace("{key}", arn))
