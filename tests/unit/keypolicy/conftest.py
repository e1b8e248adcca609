# SPDX-License-Identifier: Apache-2.0
"""One vendor, one tenant, one key and the people around them."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from strongroom.formats.pcrs import SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.ids import AccountId, KeyArn, Region
from strongroom.keypolicy.context import Call, EnclavePcrs, NitroTpmPcrs, Sender, kms_request
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.generate import tenant_key_policy
from strongroom.keypolicy.grants import Grant, grant_principal
from strongroom.keypolicy.model import encode_key_policy, parse_identity_policy, parse_key_policy
from strongroom.keypolicy.principals import Caller
from strongroom.keypolicy.spec import AdmittedRelease, SecureBoot, TenantKeySpec, VendorSpec

VENDOR, CUSTOMER, STRANGER = "444455556666", "111122223333", "777788889999"
KEY = f"arn:aws:kms:eu-central-1:{VENDOR}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def role(account, name):
    return f"arn:aws:iam::{account}:role/{name}"


def session(account, name):
    return Caller(
        account, f"arn:aws:sts::{account}:assumed-role/{name}/s", role(account, name), f"AROA{name.upper():X<17}"
    )


def digest(text):
    return hashlib.sha384(text.encode()).digest()


def pcrs(pcr4="v1", **others):
    values = {2: SEPARATOR_ONLY_SHA384, 4: digest(pcr4), 7: digest("sb"), 12: ZERO_SHA384, 13: ZERO_SHA384}
    return PcrDigests.of({**values, **{int(name[3:]): value for name, value in others.items()}})


def statement(**changes):
    return {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*", **changes}


def without(body, *names):
    return {name: value for name, value in body.items() if name not in names}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class World:
    """Builders, all with working defaults: a test changes one thing."""

    vendor_account, customer, stranger, key, now = VENDOR, CUSTOMER, STRANGER, KEY, NOW
    app, thief = session(CUSTOMER, "app"), session(STRANGER, "thief")
    sealer, operator, escrow = session(VENDOR, "sealer"), session(VENDOR, "operator"), session(VENDOR, "escrow")
    context: ClassVar = {
        "strongroom:product": "acme",
        "strongroom:tenant": "globex",
        "strongroom:purpose": "secret",
        "strongroom:name": "db",
        "strongroom:epoch": "1",
    }
    role, session, digest, pcrs = staticmethod(role), staticmethod(session), staticmethod(digest), staticmethod(pcrs)
    statement, document, without = staticmethod(statement), staticmethod(document), staticmethod(without)
    tpm, enclave = staticmethod(NitroTpmPcrs), staticmethod(EnclavePcrs)

    def release(self, version="v1", **changes):
        facts = {"ring": "general", "epoch": 1, "secure_boot": SecureBoot.NOT_GATED, "pcrs": pcrs(version)}
        return AdmittedRelease(version=version, **{**facts, **changes})

    def vendor(self, **changes):
        facts = {"product": "acme", "account": VENDOR, "sealer_role_arn": role(VENDOR, "sealer")}
        return VendorSpec(**{**facts, **changes})

    def spec(self, **changes):
        facts = {"tenant": "globex", "accounts": (CUSTOMER,), "releases": (self.release(),), "vendor": self.vendor()}
        return TenantKeySpec(**{**facts, **changes})

    def policy(self, **changes):
        return tenant_key_policy(self.spec(**changes))

    def call(self, action="kms:Decrypt", **changes):
        """Return the call of the tenant's attested app."""
        facts = {
            "caller": self.app,
            "key_arn": KEY,
            "now": NOW,
            "sender": Sender(Region("eu-central-1")),
            "attestation": NitroTpmPcrs(pcrs()),
            "encryption_context": self.context,
        }
        return Call(action, **{**facts, **changes})

    def request(self, action="kms:Decrypt", **changes):
        return kms_request(self.call(action, **changes))

    def granted(self, operations=("Decrypt",), **changes):
        """Return a grant on the key, to the tenant's app."""
        facts = {"grant_id": "g", "key_arn": KeyArn(KEY), "issuing_account": AccountId(CUSTOMER)}
        facts["grantee"] = grant_principal(changes.pop("grantee", self.app.role_arn))
        return Grant(**{**facts, "operations": frozenset(operations), **changes})

    @property
    def iam_all(self):
        return parse_identity_policy(document(without(statement(), "Principal")))

    def decide(self, policy, request=None, own=None):
        """Decide with an identity policy that allows everything, unless `own` says otherwise."""
        parsed = parse_key_policy(policy) if isinstance(policy, str) else policy
        mine = [self.iam_all] if own is None else own
        return evaluate(request or self.request(), key_policy=parsed, identity_policies=mine)

    def edited(self, policy, edit):
        """Return a policy after `edit` changed its statements, a dict of Sid to JSON."""
        body = {each["Sid"]: each for each in json.loads(encode_key_policy(policy))["Statement"]}
        edit(body)
        return parse_key_policy(document(*body.values()))

    def minus(self, policy, sid):
        return replace(policy, statements=tuple(each for each in policy.statements if each.sid != sid))


@pytest.fixture(scope="session")
def world():
    return World()
