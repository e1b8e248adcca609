# SPDX-License-Identifier: Apache-2.0
"""Grants, and the policies that only take away: boundary, session policies, SCPs, RCPs, the VPC endpoint's."""

from __future__ import annotations

from conformance.generator.kms_policy.building import (
    BOUNDARIES,
    ENDPOINT,
    GRANTS,
    KEY,
    KMS_RCP,
    LOGIC,
    MAKING,
    OTHERS,
    RCPS,
    RETIRING,
    ROOT_A,
    ROOT_B,
    SCP,
    SCPS,
    A,
    B,
    C,
    Case,
    Json,
    allow,
    allowed,
    delegate,
    denied,
    deny,
    document,
    federated,
    grant,
    iam,
    kms,
    may,
    may_not,
    role,
    root,
    service,
    silent,
    user,
    when,
)

APP, ALICE = f"arn:aws:iam::{A}:role/app", f"arn:aws:iam::{A}:user/alice"
SESSION = f"arn:aws:sts::{A}:assumed-role/app/s1"
KEEP = [delegate()]
NAMES = "kms:EncryptionContextKeys"
IT: Json = {"kms:EncryptionContext:Department": "IT", NAMES: ["Department"]}
SCALING = f"arn:aws:iam::{B}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
SCALED = "https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html"
CONSTRAINTS = "https://docs.aws.amazon.com/kms/latest/APIReference/API_GrantConstraints.html"
PCR4 = "kms:RecipientAttestation:NitroTPMPCR4"
API = "https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html"


def equals(**pairs: str) -> Json:
    """Return the constraint on the whole context."""
    return {"Constraints": {"EncryptionContextEquals": pairs}}


def subset(**pairs: str) -> Json:
    """Return the constraint on a part of the context."""
    return {"Constraints": {"EncryptionContextSubset": pairs}}


GRANTED = [
    Case("grant-role", "A grant lets a role's sessions use the key, without any policy", role(),
         allowed("grant", "grant-1"), GRANTS, KEEP, grants=[grant(APP, ["Decrypt"])]),
    Case("grant-user", "… or a user", user(), allowed("grant", "g-9"), GRANTS, KEEP, action="kms:GetPublicKey",
         grants=[grant(ALICE, ["GetPublicKey", "DescribeKey"], grant_id="g-9")]),
    Case("grant-session", "… or one session", role(), allowed("grant", "grant-1"), API, KEEP, action="kms:Encrypt",
         grants=[grant(SESSION, ["Encrypt"])]),
    Case("grant-other-operation", "A grant allows its operations only", role(), silent("identity policy"), GRANTS, KEEP,
         action="kms:Sign", grants=[grant(APP, ["Verify", "GetPublicKey"]), grant(ALICE, ["Sign"])]),
    Case("grant-other-principal", "A grant is for its grantee", user("mallory"), silent("identity policy"), GRANTS,
         KEEP, [may("s3:*", "*")], grants=[grant(ALICE, ["Encrypt", "Decrypt"])], action="kms:Encrypt"),
    Case("grant-beside-policy", "A grant adds to what policies allow", role("ci"), allowed("grant", "grant-1"), GRANTS,
         [allow(f"arn:aws:iam::{A}:role/ci", "kms:Encrypt")], action="kms:GenerateMac",
         grants=[grant(f"arn:aws:iam::{A}:role/ci", ["GenerateMac", "VerifyMac"])]),
    Case("grant-explicit-deny", "A Deny in the key policy takes precedence over all grants", role(),
         denied(statement="Never"), kms("conditions-kms#conditions-kms-encryption-algorithm"), [delegate(), deny(APP,
         "kms:*", "Never")], grants=[grant(APP, ["Decrypt", "Encrypt"])], action="kms:Encrypt"),
    Case("grant-iam-deny", "… and so does one in an IAM policy", user(), denied("identity policy", "NoKms"), LOGIC,
         KEEP, [may_not("kms:Verify", "*", "NoKms")], grants=[grant(ALICE, ["Verify"])], action="kms:Verify"),
    Case("grant-bypasses-attestation", "A grant asks for no document", role(), allowed("grant", "planted"), GRANTS,
         [allow(APP, "kms:Decrypt", Condition=when("StringEqualsIgnoreCase", PCR4, "aa" * 48))],
         grants=[grant(APP, ["Decrypt"], grant_id="planted")]),
    Case("grant-attestation-deny", "… unless the key policy denies without one", role(),
         denied(statement="DenyUnlessPcr4"), kms("conditions-attestation"), [allow(ROOT_A, "kms:DescribeKey"), deny("*",
         "kms:GenerateDataKey", "DenyUnlessPcr4", Condition=when("StringNotEqualsIgnoreCase", PCR4, "aa" * 48))],
         grants=[grant(APP, ["GenerateDataKey"])], action="kms:GenerateDataKey"),
    Case("grant-equals", "EncryptionContextEquals: exactly this context", user("exampleUser"),
         allowed("grant", "grant-1"), MAKING, KEEP, context=IT,
         grants=[grant(f"arn:aws:iam::{A}:user/exampleUser", ["Decrypt"], **equals(Department="IT"))]),
    Case("grant-equals-more", "… and no other pair", user("exampleUser"), silent("identity policy"), MAKING, KEEP,
         action="kms:Encrypt", context={**IT, "kms:EncryptionContext:Purpose": "Test",
         NAMES: ["Department", "Purpose"]}, grants=[grant(f"arn:aws:iam::{A}:user/exampleUser", ["Encrypt"],
         **equals(Department="IT"))]),
    Case("grant-equals-none", "… nor none", role("worker"), silent("identity policy"), MAKING, KEEP,
         action="kms:GenerateDataKey", grants=[grant(f"arn:aws:iam::{A}:role/worker", ["GenerateDataKey"],
         **equals(Department="HR"))]),
    Case("grant-subset", "EncryptionContextSubset: these pairs and any others", role("worker"),
         allowed("grant", "grant-1"), MAKING, KEEP, action="kms:ReEncryptFrom", context={**IT,
         "kms:EncryptionContext:Purpose": "Test", NAMES: ["Department", "Purpose"]},
         grants=[grant(f"arn:aws:iam::{A}:role/worker", ["ReEncryptFrom"], **subset(Department="IT"))]),
    Case("grant-subset-other-value", "Values are case-sensitive", role("worker"), silent("identity policy"),
         CONSTRAINTS, KEEP, action="kms:ReEncryptTo", context={"kms:EncryptionContext:Team": "red", NAMES: ["Team"]},
         grants=[grant(f"arn:aws:iam::{A}:role/worker", ["ReEncryptTo"], **subset(Team="Red"))]),
    Case("grant-subset-name-case", "Names are not, in a grant constraint", role("hr"), allowed("grant", "grant-1"),
         CONSTRAINTS, KEEP, context={"kms:EncryptionContext:DEPARTMENT": "HR", NAMES: ["DEPARTMENT"]},
         grants=[grant(f"arn:aws:iam::{A}:role/hr", ["Decrypt"], **subset(department="HR"))]),
    Case("grant-constraint-describe", "The constraint does not apply to DescribeKey", role("viewer"),
         allowed("grant", "grant-1"), MAKING, KEEP, action="kms:DescribeKey", grants=[grant(
             f"arn:aws:iam::{A}:role/viewer", ["DescribeKey", "Decrypt"], **equals(Department="IT"))]),
    Case("grant-source-arn-constraint", "SourceArn: only on behalf of that resource", service("rds.amazonaws.com"),
         allowed("grant", "grant-1"), CONSTRAINTS, KEEP, action="kms:GenerateDataKey",
         context={"aws:SourceArn": f"arn:aws:rds:us-west-2:{A}:db:orders"}, grants=[grant("rds.amazonaws.com",
         ["GenerateDataKey"], Constraints={"SourceArn": f"arn:aws:rds:us-west-2:{A}:db:orders"})]),
    Case("grant-source-arn-other", "… and of no other", service("rds.amazonaws.com"), silent(), CONSTRAINTS, KEEP,
         context={"aws:SourceArn": f"arn:aws:rds:us-west-2:{A}:db:other"}, grants=[grant("rds.amazonaws.com",
         ["Decrypt", "DescribeKey"], Constraints={"SourceArn": f"arn:aws:rds:us-west-2:{A}:db:orders"})]),
    Case("grant-service-other", "A grant to one service is not for another", service("ec2.amazonaws.com"), silent(),
         API, KEEP, action="kms:Encrypt", grants=[grant("rds.amazonaws.com", ["Encrypt"], Constraints={
             "SourceArn": f"arn:aws:rds:us-west-2:{A}:db:orders"})]),
    Case("grant-account-grantee", "A grant to an account lets its policies decide", user("eve"),
         allowed("identity policy", "Sub"), GRANTS, [allow(ALICE, "kms:*")], [may("kms:Decrypt", "*", "Sub")],
         grants=[grant(ROOT_A, ["Decrypt"])], grade="assumed"),
    Case("grant-account-grantee-alone", "… and nobody has anything by it alone", user("eve"),
         silent("identity policy"), GRANTS, [allow(ALICE, "kms:*")], grants=[grant(A, ["Sign"])], action="kms:Sign",
         grade="assumed"),
    Case("grant-other-key", "A grant is for one key", role(), silent("identity policy"), GRANTS, KEEP,
         grants=[grant(APP, ["Decrypt"], KeyId=KEY.replace("7890ab", "7890ac"))]),
    Case("grant-cross-account-own", "A service-linked role of another account uses the key by a grant that its account"
         " made; it has no IAM permission for it", role("AWSServiceRoleForAutoScaling", B,
         path="aws-service-role/autoscaling.amazonaws.com/"), allowed("grant", "grant-1"), SCALED,
         [delegate(), allow(ROOT_B, "kms:CreateGrant", "Grant")], action="kms:GenerateDataKeyWithoutPlaintext",
         grants=[grant(SCALING, ["GenerateDataKeyWithoutPlaintext", "CreateGrant"], IssuingAccount=ROOT_B)]),
    Case("grant-cross-account-theirs", "By a grant that the account of the key made, the other account has to agree",
         role("app", B), silent("identity policy"), "https://repost.aws/knowledge-center/kms-launch-ec2-instance", KEEP,
         grants=[grant(f"arn:aws:iam::{B}:role/app", ["Decrypt"])], grade="assumed"),
    Case("grant-cross-account-both", "… and with its IAM policy it does", role("app", B), allowed("grant", "grant-1"),
         OTHERS, KEEP, [may("kms:Encrypt")], action="kms:Encrypt",
         grants=[grant(f"arn:aws:iam::{B}:role/app", ["Encrypt"])], grade="assumed"),
    Case("grant-retiring-principal-use", "Who may retire a grant may not use the key by it", user("retirer"),
         silent("identity policy"), GRANTS, KEEP, action="kms:Encrypt", grants=[grant(APP, ["Encrypt", "RetireGrant"],
         RetiringPrincipal=f"arn:aws:iam::{A}:user/retirer")]),
    Case("grant-create-child", "A grant's CreateGrant makes grants of some of its operations", role("parent"),
         allowed("grant", "grant-1"), MAKING, KEEP, action="kms:CreateGrant",
         context={"kms:GrantOperations": ["Decrypt"]},
         grants=[grant(f"arn:aws:iam::{A}:role/parent", ["GenerateDataKey", "Decrypt", "CreateGrant"])],
         new_grant=grant(ALICE, ["Decrypt"], grant_id="child")),
    Case("grant-create-child-more", "… and of no others", role("parent"), silent("identity policy"), MAKING, KEEP,
         action="kms:CreateGrant", context={"kms:GrantOperations": ["Decrypt", "ReEncryptFrom"]},
         grants=[grant(f"arn:aws:iam::{A}:role/parent", ["Decrypt", "CreateGrant"])],
         new_grant=grant(ALICE, ["Decrypt", "ReEncryptFrom"], grant_id="child")),
    Case("grant-create-child-looser", "… with constraints that are no weaker", role("parent"),
         silent("identity policy"), MAKING, KEEP, action="kms:CreateGrant", context={"kms:GrantOperations":
         ["Encrypt"]}, grants=[grant(f"arn:aws:iam::{A}:role/parent", ["Encrypt", "CreateGrant"],
         **subset(Department="IT"))], new_grant=grant(ALICE, ["Encrypt"], grant_id="child")),
    Case("grant-create-child-stricter", "Subset may become Equals", role("parent"), allowed("grant", "grant-1"),
         MAKING, KEEP, action="kms:CreateGrant", context={"kms:GrantOperations": ["Encrypt"],
         "kms:GrantConstraintType": "EncryptionContextEquals", **IT}, grants=[grant(f"arn:aws:iam::{A}:role/parent",
         ["Encrypt", "CreateGrant"], **subset(Department="IT"))], new_grant=grant(ALICE, ["Encrypt"],
         grant_id="child", **equals(Department="IT"))),
    Case("grant-create-child-reverse", "… but not the reverse", role("parent"), silent("identity policy"), MAKING,
         KEEP, action="kms:CreateGrant", context={"kms:GrantOperations": ["Sign"], **IT}, grants=[grant(
             f"arn:aws:iam::{A}:role/parent", ["Sign", "CreateGrant"], **equals(Department="IT"))],
         new_grant=grant(ALICE, ["Sign"], grant_id="child", **subset(Department="IT"))),
    Case("grant-create-by-policy", "CreateGrant by a policy is not limited so", role("maker"), allowed(), MAKING,
         [allow(f"arn:aws:iam::{A}:role/maker", "kms:CreateGrant")], action="kms:CreateGrant",
         context={"kms:GrantOperations": ["Decrypt", "Sign"]}, new_grant=grant(ALICE, ["Decrypt", "Sign"])),
]  # fmt: skip

MADE = grant(APP, ["Decrypt"], RetiringPrincipal=f"arn:aws:iam::{A}:role/adminRole")
RETIRED = [
    Case("retire-principal", "The retiring principal retires the grant, without any policy", role("adminRole"),
         allowed("grant", "grant-1"), RETIRING, KEEP, action="kms:RetireGrant", new_grant=MADE),
    Case("retire-grantee", "The grantee does only if the grant says so", role(), silent("identity policy"), RETIRING,
         KEEP, action="kms:RetireGrant", new_grant=MADE),
    Case("retire-grantee-operation", "… with the operation RetireGrant", role("own"), allowed("grant", "g"), RETIRING,
         KEEP, action="kms:RetireGrant", new_grant=grant(f"arn:aws:iam::{A}:role/own", ["Decrypt", "RetireGrant"],
         grant_id="g")),
    Case("retire-account", "The account that made the grant may let its users do it", user("clean"),
         allowed("identity policy", "Retire"), RETIRING, [allow(ALICE, "kms:*")],
         [may("kms:RetireGrant", "*", "Retire")],
         action="kms:RetireGrant", new_grant=MADE),
    Case("retire-key-policy", "kms:RetireGrant is not effective in a key policy", user("nobody", C), silent("grant"),
         RETIRING, [allow("*", "kms:RetireGrant")], [may("kms:RetireGrant", "*")], action="kms:RetireGrant",
         new_grant=MADE),
    Case("retire-deny", "A Deny in an IAM policy keeps him from it", role("adminRole"),
         denied("identity policy", "Keep"), RETIRING, KEEP, [may_not("kms:RetireGrant", "*", "Keep")],
         action="kms:RetireGrant", new_grant=MADE),
    Case("retire-other-account", "A retiring principal of another account", role("closer", B),
         allowed("grant", "far"), RETIRING, KEEP, action="kms:RetireGrant", new_grant=grant(APP, ["Sign"],
         grant_id="far", RetiringPrincipal=f"arn:aws:iam::{B}:role/closer")),
]  # fmt: skip


def bound(*statements: Json) -> Json:
    """Return a permissions boundary."""
    return {"boundary": document(statements)}


def session(*statements: Json) -> Json:
    """Return a session policy."""
    return {"session_policies": [document(statements)]}


LIMITS = [
    Case("boundary-limits-iam", "A boundary that does not allow limits the identity policy", user("ShirleyRodriguez"),
         silent("permissions boundary"), BOUNDARIES, KEEP, [may("kms:*", "*")], around=bound(may(
             ["s3:*", "cloudwatch:*", "ec2:*"], "*", "Boundary"))),
    Case("boundary-allows", "Both allow", user("zhang"), allowed("identity policy", "May"), BOUNDARIES, KEEP,
         [may("kms:Encrypt", "*")], action="kms:Encrypt", around=bound(may(["kms:Encrypt", "s3:*"], "*", "Boundary"))),
    Case("boundary-gives-nothing", "A boundary gives nothing by itself", user("zhang"), silent("identity policy"),
         BOUNDARIES, KEEP, action="kms:Sign", around=bound(may("*", "*", "Boundary"))),
    Case("boundary-deny", "A Deny in the boundary wins", role(), denied("permissions boundary", "NoDelete"), BOUNDARIES,
         [allow(SESSION, "kms:*")], action="kms:ScheduleKeyDeletion",
         around=bound(may("*", "*", "All"), may_not("kms:Schedule*", "*", "NoDelete"))),
    Case("boundary-user-named", "A user whom the key policy names is not limited by his boundary", user(), allowed(),
         LOGIC, [allow(ALICE, "kms:Verify")], action="kms:Verify", around=bound(may("s3:*", "*"))),
    Case("boundary-role-named", "A role whom it names is", role(), silent("permissions boundary"), LOGIC,
         [allow(APP, "kms:GetPublicKey")], action="kms:GetPublicKey", around=bound(may("ec2:*", "*"))),
    Case("boundary-role-named-allows", "… unless the boundary allows as well", role(), allowed(), LOGIC,
         [allow(APP, "kms:Decrypt")], around=bound(may("kms:D*", "*"))),
    Case("boundary-session-named", "A session whom it names is not", role(), allowed(statement="Session"), LOGIC,
         [allow(SESSION, "kms:GenerateMac", "Session")], action="kms:GenerateMac", around=bound(may("s3:Get*", "*"))),
    Case("boundary-everybody", "… nor is anybody limited whom * with aws:PrincipalArn lets in", role(), allowed(),
         iam("reference_policies_elements_principal#principal-roles"), [allow("*", "kms:VerifyMac", Condition=when(
             "ArnEquals", "aws:PrincipalArn", APP))], action="kms:VerifyMac", around=bound(may("iam:*", "*"))),
    Case("boundary-unique-id", "A role's unique id is limited as its ARN is", role(), silent("permissions boundary"),
         LOGIC, [allow("AROAAPPXXXXXXXXXXXXXX", "kms:Sign")], action="kms:Sign", around=bound(may("s3:*", "*")),
         grade="assumed"),
    Case("boundary-grant", "A grant to a role is limited as a key policy's Allow to it", role(),
         silent("permissions boundary"), GRANTS, [allow(ALICE, "kms:*")], grants=[grant(APP, ["Encrypt"])],
         action="kms:Encrypt", around=bound(may("logs:*", "*")), grade="assumed"),
    Case("boundary-cross-account", "In another account the boundary limits as well", user("bob", B),
         silent("permissions boundary"), iam("reference_policies_evaluation-logic-cross-account"),
         [allow(f"arn:aws:iam::{B}:user/bob", "kms:Decrypt")], [may()], around=bound(may("dynamodb:*", "*"))),
    Case("session-limits-iam", "A session policy limits the identity policy", role(), silent("session policy"), LOGIC,
         KEEP, [may("kms:*", "*")], action="kms:DescribeKey", around=session(may("s3:*", "*"))),
    Case("session-limits-role", "… and what the key policy gives the role", role("r2"), silent("session policy"),
         iam("access_policies#policies_session"), [allow(f"arn:aws:iam::{A}:role/r2", "kms:Sign")], action="kms:Sign",
         around=session(may("kms:Verify", "*"))),
    Case("session-not-session", "… but not what it gives the session", role(), allowed(statement="Named"),
         iam("access_policies#policies_session"), [allow(SESSION, "kms:Encrypt", "Named")], action="kms:Encrypt",
         around=session(may("sqs:*", "*"))),
    Case("session-any-of-several", "One of several session policies has to allow", role("multi"),
         allowed("identity policy", "May"), iam("access_policies#policies_session"), KEEP, [may("kms:Verify", "*")],
         action="kms:Verify", around={"session_policies": [document([may("s3:*", "*")]), document(
             [may("kms:Ver*", KEY)])]}),
    Case("session-deny", "A Deny in a session policy wins", role(), denied("session policy", "ReadOnly"), LOGIC,
         [allow("*", "kms:*")], action="kms:EnableKey", around=session(may("*", "*"), may_not("kms:Enable*", KEY,
         "ReadOnly"))),
    Case("session-and-boundary", "Both have to allow", role("r3"), silent("session policy"), BOUNDARIES, KEEP,
         [may("kms:*", "*")], action="kms:GetKeyPolicy", around={**bound(may("kms:*", "*")), **session(may(
             "kms:List*", "*"))}),
    Case("federated-user-no-session-policy", "A federated user without a session policy has nothing from IAM",
         federated(), silent("session policy"), LOGIC, KEEP, [may("kms:*", "*")], action="kms:Sign"),
    Case("federated-user-session-policy", "With one he has what both allow", federated(),
         allowed("identity policy", "May"), LOGIC, KEEP, [may("kms:*", "*")], action="kms:Encrypt",
         around=session(may("kms:Encrypt", KEY))),
    Case("federated-user-named", "Named in the key policy he needs neither", federated(), allowed(), LOGIC,
         [allow(f"arn:aws:sts::{A}:federated-user/alice", "kms:GetPublicKey")], action="kms:GetPublicKey"),
    Case("federated-user-behind", "The user who federated him being named, the session policy limits", federated(),
         silent("session policy"), LOGIC, [allow(ALICE, ["kms:Verify", "kms:Sign"])], action="kms:Verify",
         around=session(may("kms:Decrypt", "*"))),
]  # fmt: skip


def levels(kind: str, *each: list[Json]) -> Json:
    """Return policies of an organization, a list a level: the root, the units, the account."""
    return {kind: [[document(statements)] for statements in each]}


FULL = [may("*", "*", "FullAWSAccess")]
OPEN = [allow("*", "*", "RCPFullAWSAccess")]
ORG = "o-a1b2c3d4e5"
ORGANIZATION = [
    Case("scp-allows", "SCPs with FullAWSAccess at each level take nothing away", user(),
         allowed("identity policy", "May"), SCP, KEEP, [may("kms:Encrypt", "*")], action="kms:Encrypt",
         around=levels("service_control_policies", FULL, FULL, FULL)),
    Case("scp-missing-level", "One level without an Allow and nothing is allowed", user(),
         silent("service control policy"), SCP, [allow(ALICE, "kms:*")], action="kms:Decrypt",
         around=levels("service_control_policies", FULL, [may("s3:*", "*", "OnlyS3")], FULL)),
    Case("scp-deny", "A Deny at the root wins over the key policy", role(), denied("service control policy", "Window"),
         SCPS, [allow(APP, "kms:*")], action="kms:ScheduleKeyDeletion",
         around=levels("service_control_policies", [*FULL, may_not("kms:ScheduleKeyDeletion", "*", "Window")], FULL)),
    Case("scp-root-user", "SCPs bind the root user of a member account", root(),
         denied("service control policy", "NoRoot"), SCPS, KEEP, action="kms:PutKeyPolicy",
         around=levels("service_control_policies", [*FULL, may_not("*", "*", "NoRoot", Condition=when("StringLike",
         "aws:PrincipalArn", "arn:aws:iam::*:root"))])),
    Case("scp-gives-nothing", "SCPs give no permission", user("new"), silent("identity policy"), SCPS, KEEP,
         action="kms:Verify", around=levels("service_control_policies", FULL)),
    Case("scp-service-linked", "SCPs do not affect service-linked roles", role("AWSServiceRoleForRDS",
         path="aws-service-role/rds.amazonaws.com/"), allowed(), SCPS, [allow(
             f"arn:aws:iam::{A}:role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS", "kms:Decrypt")],
         around=levels("service_control_policies", [may("s3:*", "*")])),
    Case("scp-of-caller", "The SCPs are those of the caller's account", role("x", B),
         denied("service control policy", "NoForeignKeys"), iam("reference_policies_evaluation-logic-cross-account"),
         [allow(ROOT_B, "kms:Decrypt")], [may()], around=levels("service_control_policies", [*FULL, may_not("kms:*",
         "*", "NoForeignKeys", Condition=when("StringNotEquals", "aws:ResourceAccount", B))])),
    Case("scp-grant", "What a grant allows, SCPs can take away", role("g"), denied("service control policy", "NoUse"),
         SCPS, KEEP, grants=[grant(f"arn:aws:iam::{A}:role/g", ["Sign"])], action="kms:Sign",
         around=levels("service_control_policies", [*FULL, may_not("kms:Sign", "*", "NoUse")])),
    Case("scp-without-key", "SCPs count without a key as well", user("maker"),
         silent("service control policy"), SCP, None, [may("kms:CreateKey", "*")], action="kms:CreateKey",
         around=levels("service_control_policies", FULL, [may(None, "*", "AllButKms", NotAction="kms:*")])),
    Case("rcp-outsiders", "An RCP keeps out who is of no organization of ours", user("bob", B),
         denied("resource control policy", "EnforceOrgIdentities"), KMS_RCP, [allow(ROOT_B, "kms:*")],
         [may("kms:*", "*")], action="kms:Encrypt", around=levels("resource_control_policies", [*OPEN, deny("*",
         "kms:*", "EnforceOrgIdentities", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": ORG},
                                                      "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}})])),
    Case("rcp-members", "… and lets members in", role("member", B), allowed(), KMS_RCP, [allow(ROOT_B, "kms:Sign")],
         [may("kms:Sign")], action="kms:Sign", context={"aws:PrincipalOrgID": ORG},
         around=levels("resource_control_policies", OPEN, [*OPEN, deny("*", "kms:*", "EnforceOrgIdentities",
         Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": ORG}})])),
    Case("rcp-services", "… and AWS services", service("logs.amazonaws.com"), allowed(), KMS_RCP,
         [allow({"Service": "logs.amazonaws.com"}, "kms:Decrypt")], around=levels("resource_control_policies", [*OPEN,
         deny("*", "kms:*", "EnforceOrgIdentities", Condition={"StringNotEqualsIfExists": {"aws:PrincipalOrgID": ORG},
         "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}})])),
    Case("rcp-retire-grant", "kms:RetireGrant is not effective in an RCP, even under *", role("closer", B),
         allowed("grant", "grant-1"), KMS_RCP, KEEP, action="kms:RetireGrant", new_grant=grant(APP, ["Decrypt"],
         RetiringPrincipal=f"arn:aws:iam::{B}:role/closer"), around=levels("resource_control_policies", [
             *OPEN, deny("*", "*", "Outsiders")])),
    Case("rcp-service-linked", "RCPs do not affect service-linked roles", role("AWSServiceRoleForEC2Spot",
         path="aws-service-role/spot.amazonaws.com/"), allowed(), RCPS, [allow(
             f"arn:aws:iam::{A}:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot", "kms:CreateGrant")],
         action="kms:CreateGrant", context={"kms:GrantOperations": ["Decrypt"]},
         around=levels("resource_control_policies", [*OPEN, deny("*", "kms:*", "All")])),
    Case("rcp-before-scp", "Of two Denies the RCP's is reported", user(), denied("resource control policy", "R"), LOGIC,
         [allow(ALICE, "kms:Verify")], action="kms:Verify", grade="assumed",
         around={**levels("resource_control_policies", [*OPEN, deny("*", "kms:Verify", "R")]),
                 **levels("service_control_policies", [*FULL, may_not("kms:Verify", "*", "S")])}),
    Case("rcp-gives-nothing", "An RCP gives no permission", user("carol"), silent(), RCPS, [allow(ALICE, "kms:*")],
         [may("kms:*", "*")], action="kms:DisableKey", around=levels("resource_control_policies", OPEN)),
    Case("endpoint-allows", "Both the endpoint's policy and another have to allow", role("in"), allowed(), ENDPOINT,
         [allow(f"arn:aws:iam::{A}:role/in", "kms:Decrypt")], context={"aws:SourceVpce": "vpce-7"},
         around={"endpoint_policy": document([allow("*", ["kms:Decrypt", "kms:DescribeKey"], "Endpoint",
                                                    Resource=KEY)])}),
    Case("endpoint-silent", "What the endpoint's policy does not allow cannot be called through it", role("in"),
         silent("VPC endpoint policy"), ENDPOINT, [allow("*", "kms:*")], action="kms:Encrypt",
         context={"aws:SourceVpce": "vpce-8"}, around={"endpoint_policy": document([allow("*", "kms:Decrypt",
                                                                                            "OnlyDecrypt")])}),
    Case("endpoint-principal", "It can name who may use the endpoint", user("ExampleUser"), allowed(), ENDPOINT,
         [allow("*", "kms:GetPublicKey")], action="kms:GetPublicKey", context={"aws:SourceVpce": "vpce-9"},
         around={"endpoint_policy": document([allow(f"arn:aws:iam::{A}:user/ExampleUser", "kms:*", "AllowExample")])}),
    Case("endpoint-gives-nothing", "It gives no permission", user("walkin"), silent("identity policy"), ENDPOINT, KEEP,
         action="kms:DisableKey", context={"aws:SourceVpce": "vpce-10"}, around={"endpoint_policy": document(
             [allow("*", "*", "Default")])}),
    Case("endpoint-deny", "A Deny of the endpoint's policy wins", role("dev"),
         denied("VPC endpoint policy", "NoDelete"), ENDPOINT, [allow("*", "kms:*")],
         action="kms:ScheduleKeyDeletion", context={"aws:SourceVpce": "vpce-11"},
         around={"endpoint_policy": document([allow("*", "*", "All"), deny("*", "kms:Schedule*", "NoDelete")])}),
    Case("endpoint-random", "GenerateRandom through an endpoint", role("dice"), silent("VPC endpoint policy"), ENDPOINT,
         None, [may("kms:GenerateRandom", "*")], action="kms:GenerateRandom", context={"aws:SourceVpce": "vpce-12"},
         around={"endpoint_policy": document([allow("*", "kms:Decrypt", "OnlyKeys")])}),
]  # fmt: skip

GROUPS = {"grants": GRANTED, "retiring": RETIRED, "boundaries-and-sessions": LIMITS, "organization": ORGANIZATION}
