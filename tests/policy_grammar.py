# SPDX-License-Identifier: Apache-2.0
"""Random policies over the whole table of operators, and random requests that meet them, from one small vocabulary.

The vocabulary is small so that policies and requests speak of the same things: a Deny that nobody can meet proves
nothing. Every operator of the table takes part with every form of it, and so does every form of principal.
"""

import json
import random
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import AccountId, KeyArn, Region
from strongroom.keypolicy.caller_facts import Credentials
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.context import Call, EnclavePcrs, NitroTpmPcrs, Sender, kms_request
from strongroom.keypolicy.grants import GRANT_OPERATIONS, Grant, GrantConstraints, grant_principal, grant_service
from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.key_facts import KeyFacts
from strongroom.keypolicy.model import parse_identity_policy, parse_key_policy, parse_resource_policy
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.operators import NULL, OPERATORS, Quantifier, ValueKind
from strongroom.keypolicy.principals import Caller

HOME, AWAY = AccountId("444455556666"), AccountId("111122223333")
KEY = KeyArn(f"arn:aws:kms:eu-central-1:{HOME}:key/1234abcd-12ab-34cd-56ef-1234567890ab")
SERVICE = "backup.amazonaws.com"
UNIQUE_ID = "AROAAPPAPPAPPAPPAPP00"
GOOD, EVIL = b"\xaa" * 48, b"\xbb" * 48
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ACTIONS = ("kms:Decrypt", "kms:GenerateDataKey", "kms:DeriveSharedSecret", "kms:ReEncryptFrom", "kms:Decapsulate")
CONTEXT = "kms:EncryptionContext:"
TEXTS = ("a", "A", "b", "ab")
PATTERNS = (*TEXTS, "a*", "*b", "?", "*")
VARIABLE_IN = 20
"""One condition in so many, of those that can, compares with a policy variable."""
VARIABLES = ("${aws:username}", "x${aws:PrincipalTag/team}", "${aws:SourceVpce, 'a'}")


def role(account, name="app"):
    return f"arn:aws:iam::{account}:role/{name}"


def user(account):
    return f"arn:aws:iam::{account}:user/ab"


VALUES = {
    "aws:PrincipalOrgID": PATTERNS,
    "aws:SourceVpce": PATTERNS,
    "aws:username": PATTERNS,
    "aws:PrincipalTag/team": PATTERNS,
    "kms:ViaService": PATTERNS,
    "kms:KeySpec": PATTERNS,
    "kms:EncryptionAlgorithm": ("SYMMETRIC_DEFAULT", "SYM*", "a"),
    CONTEXT + "a": PATTERNS,
    CONTEXT + "Tenant": PATTERNS,
    "kms:EncryptionContextKeys": (*PATTERNS, "Tenant", "tenant"),
    "aws:CalledVia": PATTERNS,
    "aws:PrincipalOrgPaths": PATTERNS,
    "kms:CallerAccount": (HOME, AWAY, "4444*", "*3", "????????????"),
    "aws:PrincipalAccount": (HOME, AWAY, "4444*"),
    "aws:PrincipalType": ("User", "AssumedRole", "FederatedUser", "Account", "*User"),
    "aws:PrincipalServiceName": (SERVICE, "*.amazonaws.com", "a"),
    "aws:userid": (f"{UNIQUE_ID}:s", "*:s", f"{UNIQUE_ID}:*", HOME, f"{AWAY}:ab", "*:ab"),
    "aws:PrincipalArn": (
        role(HOME),
        role(AWAY),
        user(HOME),
        f"arn:aws:iam::{HOME}:role/*",
        "arn:aws:iam::*:user/a?",
        "arn:aws:*::*:*",
        "*",
        f"arn:aws:iam::{AWAY}:root",
    ),
    "aws:SourceArn": ("arn:aws:s3:::a", "arn:aws:s3:::a*", "arn:*:ec2:*:*:*"),
    "aws:CurrentTime": ("2026-06-01T00:00:00Z", "2026-05-01", "2027-01-01T00:00:00+02:00"),
    "aws:EpochTime": ("1780272000", "1780272000.5", "1900000000"),
    "aws:TokenIssueTime": ("2026-05-31", "2026-06-01"),
    "aws:MultiFactorAuthAge": ("10", "60", "3600.5"),
    "aws:MultiFactorAuthPresent": ("true", "false"),
    "aws:SecureTransport": ("true", "FALSE"),
    "aws:ViaAWSService": ("true", "false"),
    "aws:PrincipalIsAWSService": ("true", "false"),
    "aws:SourceIp": ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", "2001:db8::/32"),
    "kms:RecipientAttestation:NitroTPMPCR4": (GOOD.hex(), GOOD.hex().upper(), EVIL.hex(), "aa*", "*"),
    "kms:RecipientAttestation:NitroTPMPCR7": (GOOD.hex(), EVIL.hex()),
    "kms:RecipientAttestation:PCR0": (GOOD.hex(), EVIL.hex(), "b*"),
    "kms:RecipientAttestation:ImageSha384": (GOOD.hex(), EVIL.hex().upper()),
}
"""Condition keys and the values that policies compare them with."""


def one_or_more(values, most=3):
    return st.lists(st.sampled_from(values), min_size=1, max_size=most)


@st.composite
def condition(draw):
    """Draw an operator, in any of its forms, on a key that it fits, with values that it reads."""
    key = draw(st.sampled_from(sorted(VALUES)))
    row = find_condition_key(key)
    operator = draw(st.sampled_from([each for each in OPERATORS.values() if row.kind in each.kinds]))
    if operator is NULL:
        return operator.name, key, [draw(st.sampled_from(["true", "false"]))]
    quantifiers = list(Quantifier) if row.multivalued else ["", "", *Quantifier]
    quantifier = draw(st.sampled_from(quantifiers))
    if key.startswith(CONTEXT) and quantifier is Quantifier.ALL:
        quantifier = ""  # KMS refuses it
    name = quantifier + operator.name + draw(st.sampled_from(["", "", "IfExists"]))
    values = VALUES[key]
    if operator.takes_variables and row.kind is ValueKind.STRING and draw(st.integers(1, VARIABLE_IN)) == 1:
        values = VARIABLES
    return name, key, draw(one_or_more(values))


@st.composite
def condition_blocks(draw, most=3, least=0):
    block = {}
    for operator, key, values in draw(st.lists(condition(), min_size=least, max_size=most)):
        block.setdefault(operator, {})[key] = values
    return block


_AWS = ("*", HOME, AWAY, f"arn:aws:iam::{AWAY}:root", role(HOME), role(AWAY), user(HOME), UNIQUE_ID)
_SESSIONS = (f"arn:aws:sts::{HOME}:assumed-role/app/s", f"arn:aws:sts::{AWAY}:federated-user/ab")
principals = st.one_of(
    st.just("*"),
    one_or_more((*_AWS, *_SESSIONS)).map(lambda values: {"AWS": values}),
    st.just({"Service": SERVICE}),
    st.just({"Service": SERVICE, "AWS": HOME}),
)
_WIDE = ("kms:*", "*", *ACTIONS, "kms:De*", "kms:Generate*")
_RESOURCES = ("*", "*", "*", KEY, f"arn:aws:kms:*:{HOME}:key/*", "arn:aws:kms:us-east-1:*", "arn:aws:s3:::a")


@st.composite
def bodies(draw, effect, *, named=True, most=3):
    """Draw a statement as JSON."""
    body = {"Effect": effect}
    if named:
        sense = draw(st.sampled_from(["", "", "Not"])) if effect == "Deny" else ""
        body[f"{sense}Principal"] = draw(principals)
    action = draw(st.sampled_from(["Action", "Action", "Action", "NotAction"]))
    body[action] = draw(one_or_more(_WIDE, 2))
    body[draw(st.sampled_from(["Resource"] * 9 + ["NotResource"]))] = draw(one_or_more(_RESOURCES, 2))
    block = draw(condition_blocks(most))
    return {**body, "Condition": block} if block else body


@st.composite
def policy_texts(draw, *, named=True):
    """Draw a policy: few Allows, and some Denies that may close them."""
    allows = draw(st.lists(bodies("Allow", named=named, most=2), min_size=1, max_size=2))
    denies = draw(st.lists(bodies("Deny", named=named), max_size=4))
    return json.dumps({"Version": "2012-10-17", "Statement": [*allows, *denies]})


@st.composite
def narrow_policies(draw, allowed=st.just("*"), sizes=(1, 1, 1, 2), most=4):
    """Draw a policy that allows `allowed` everything but what a few short Denies deny to everybody."""
    everything = {"Principal": "*", "Action": "*", "Resource": "*"}
    short = st.sampled_from(sizes).flatmap(lambda size: condition_blocks(size, size))
    blocks = draw(st.lists(short, max_size=most))
    denies = [{**everything, "Effect": "Deny", "Condition": block} for block in blocks]
    allow = {**everything, "Effect": "Allow", "Principal": draw(allowed)}
    return parse_key_policy(json.dumps({"Version": "2012-10-17", "Statement": [allow, *denies]}))


one_principal = st.sampled_from([*_AWS, *_SESSIONS]).map(lambda value: {"AWS": value})
key_policies = policy_texts().map(parse_key_policy)
identity_policies = policy_texts(named=False).map(parse_identity_policy)


@st.composite
def guardrail_texts(draw, *, named=False):
    """Draw a policy that takes away, and sometimes nothing but that: it allows everything else."""
    text = json.loads(draw(policy_texts(named=named)))
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*", **({"Principal": "*"} if named else {})}
    if draw(st.booleans()):
        text["Statement"].append(everything)
    return json.dumps(text)


own_guardrails = guardrail_texts().map(parse_identity_policy)
resource_guardrails = guardrail_texts(named=True).map(parse_resource_policy)


def few(policies):
    return st.lists(policies, min_size=1, max_size=1).map(tuple)


@st.composite
def guardrails(draw):
    """Draw what stands around a request: one or two kinds of it."""
    optional = {
        "boundary": own_guardrails,
        "session_policies": few(own_guardrails),
        "service_control": few(few(own_guardrails)),
        "resource_control": few(few(resource_guardrails)),
        "endpoint": resource_guardrails,
    }
    chosen = draw(st.lists(st.sampled_from(sorted(optional)), unique=True, min_size=1, max_size=2))
    return Guardrails(**{name: draw(optional[name]) for name in chosen})


@st.composite
def grants(draw):
    pairs = draw(st.dictionaries(st.sampled_from(["a", "Tenant"]), st.sampled_from(TEXTS), max_size=2))
    kind = draw(st.sampled_from(["equals", "subset"]))
    return Grant(
        "g",
        KEY,
        draw(st.sampled_from([HOME, AWAY])),
        grant_principal(draw(st.sampled_from([role(HOME), role(AWAY), user(HOME), _SESSIONS[1]]))),
        frozenset(draw(one_or_more(sorted(GRANT_OPERATIONS)))) | {"Decrypt"},
        constraints=GrantConstraints.of(**{kind: pairs}) if pairs else GrantConstraints(),
    )


def a_caller(pick):
    """Return any kind of caller, of those that the vocabulary names and of others."""
    account, unique_id = pick([HOME, AWAY, AccountId("777788889999")]), pick(["", UNIQUE_ID, "AROAOTHEROTHEROTHER00"])
    kind = pick(["role", "role", "user", "federated", "root", "service"])
    if kind == "role":
        name = pick(["app", "a"])
        arn = f"arn:aws:sts::{account}:assumed-role/{name}/{pick(['s', 'ab', 'x'])}"
        return Caller(account, arn, role(account, name), unique_id)
    if kind == "user":
        return Caller(account, f"arn:aws:iam::{account}:user/{pick(TEXTS)}", unique_id=unique_id)
    if kind == "federated":
        behind = pick(["", user(account)])
        return Caller(account, f"arn:aws:sts::{account}:federated-user/{pick(TEXTS)}", user_arn=behind)
    if kind == "root":
        return Caller(account, f"arn:aws:iam::{account}:root")
    return Caller.of_service(pick([SERVICE, "other.amazonaws.com"]))


def a_document(pick):
    """Return no document, an enclave's or a NitroTPM's, with some of the PCRs that the vocabulary names."""
    kind, indices = pick([(None, ()), (EnclavePcrs, (0,)), (NitroTpmPcrs, (4, 7))])
    values = {index: pick([GOOD, EVIL, b"\xcc" * 48, b""]) for index in indices}
    return kind and kind(PcrDigests.of({index: value for index, value in values.items() if value}))


def _pairs(pick, *names):
    return {name: pick([*TEXTS, "", "zz"]) for name in names if pick([True, False])}


def _few(pick):
    return tuple({pick([*TEXTS, "zz"]) for _ in range(pick([0, 0, 1, 2]))})


def a_sender(pick):
    """Return what AWS knows of a request beside its parameters."""
    text = ["", "", *TEXTS, "zz"]
    return Sender(
        Region("eu-central-1"),
        secure_transport=pick(["true", "false"]),
        organization=pick(text),
        source_ip=pick(["", "10.0.0.1", "10.1.2.3", "10.1.9.9", "11.0.0.0", "2001:db8::1", "::1"]),
        source_vpce=pick(text),
        via_service=pick(text),
        called_via=_few(pick),
        source_arn=pick(["", "arn:aws:s3:::a", "arn:aws:s3:::ab", "arn:aws:ec2:::i"]),
    )


_SECONDS = (-40_000_000, -3_000_000, -1, 0, 1, 20_000_000, 999_999_999)


def a_call(pick):
    """Return a document and a request with it that somebody could make. `pick` takes one of a list."""
    action, document = pick(ACTIONS), a_document(pick)
    operation = OPERATIONS[action]
    moments = [None, *(NOW + timedelta(seconds=seconds) for seconds in _SECONDS)]
    ages = [None, *(NOW - timedelta(seconds=age) for age in (0, 10, 30, 60, 3600, 3601))]
    call = Call(
        action,
        a_caller(pick),
        KEY,
        pick(moments) or NOW,
        a_sender(pick),
        attestation=document if operation.attested else None,
        encryption_context=_pairs(pick, "a", "Tenant", "b", "zz") if operation.takes_context else {},
        credentials=Credentials(
            issued_at=pick(moments),
            multi_factor=pick([None, True, False]),
            multi_factor_at=pick(ages),
            tags=_pairs(pick, "team"),
            organization_paths=_few(pick),
        ),
        key=pick([None, KeyFacts(), KeyFacts(spec="a"), KeyFacts(spec="ab")]),
    )
    return call.attestation, kms_request(call)


GRANT_VALUES = {
    "kms:GrantOperations": ("Decrypt", "Encrypt", "CreateGrant", "DescribeKey", "De*"),
    "kms:GranteePrincipal": (role(HOME), "arn:aws:iam::*:role/*", f"arn:aws:sts::{AWAY}:*", "*"),
    "kms:GranteeServicePrincipal": (SERVICE, "*.amazonaws.com"),
    "kms:GrantConstraintType": ("EncryptionContextEquals", "EncryptionContextSubset"),
    "kms:GrantIsForAWSResource": ("true", "false"),
    "kms:EncryptionContextKeys": ("Tenant", "tenant", "a"),
    CONTEXT + "Tenant": PATTERNS,
    "kms:ViaService": PATTERNS,
}
"""The same, for requests that make a grant."""


def a_new_grant(pick):
    """Return a request that makes a grant, and the grant."""
    people = [role(HOME), role(AWAY, "a"), user(HOME), *_SESSIONS, f"arn:aws:iam::{AWAY}:root"]
    service = pick([True, False, False])
    pairs = _pairs(pick, "Tenant", "a")
    grant = Grant(
        "new",
        KEY,
        HOME,
        grant_service(SERVICE) if service else grant_principal(pick(people)),
        frozenset(pick([["Decrypt"], ["Encrypt"], ["Encrypt", "DescribeKey"], ["CreateGrant", "Encrypt"]])),
        constraints=GrantConstraints.of(**{pick(["equals", "subset"]): pairs}) if pairs else GrantConstraints(),
    )
    return grant, kms_request(Call("kms:CreateGrant", a_caller(pick), KEY, NOW, a_sender(pick), grant=grant))


NEW_GRANTS = [a_new_grant(random.Random(seed).choice) for seed in range(1000)]
"""Requests that make grants, as CALLS."""
CALLS = [a_call(random.Random(seed).choice) for seed in range(4000)]
"""Documents and requests. Drawing them anew for each policy would leave no time to try many on each."""
