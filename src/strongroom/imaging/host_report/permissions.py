# SPDX-License-Identifier: Apache-2.0
"""Which permissions the instance's role needs, and what else in the image could use them.

A role is not in the image: whoever launches it chooses one. So what follows is the least that the image works with,
and what it could do with more.
"""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.formats.agent_config import BundleOrigin
from strongroom.imaging.audit.subject import TRUST
from strongroom.imaging.host_report.evidence import AGENT_CONFIG, Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic

_SOFTWARE = (
    (
        "the SSM agent",
        ("/usr/bin/amazon-ssm-agent", "/snap/bin/amazon-ssm-agent"),
        "ssm:*, ssmmessages:*, ec2messages:*",
    ),
    (
        "the CloudWatch agent",
        ("/opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent",),
        "logs:PutLogEvents, logs:CreateLogStream, cloudwatch:PutMetricData",
    ),
    ("the ECS agent", ("/usr/libexec/amazon-ecs-init", "/usr/bin/amazon-ecs-init"), "ecs:*, ecr:*"),
    ("the CodeDeploy agent", ("/opt/codedeploy-agent/bin/codedeploy-agent",), "s3:Get*, s3:List*"),
    ("the Kinesis agent", ("/usr/bin/aws-kinesis-agent",), "kinesis:PutRecords, firehose:PutRecordBatch"),
    ("the mount helper of EFS", ("/usr/sbin/mount.efs", "/sbin/mount.efs"), "elasticfilesystem:Client*"),
    ("the X-Ray daemon", ("/usr/bin/xray",), "xray:PutTraceSegments"),
)
_CLIENTS = (
    ("the AWS CLI", ("/usr/bin/aws", "/usr/local/bin/aws")),
    ("boto3", ("/usr/lib/python3/dist-packages/boto3", "/usr/local/lib/python3*/*-packages/boto3")),
    ("boto3", ("/usr/lib/python3*/site-packages/boto3", "/opt/**/site-packages/boto3")),
    ("the AWS SDK for JavaScript", ("/opt/**/node_modules/@aws-sdk", "/usr/**/node_modules/@aws-sdk")),
)


def permissions(evidence: Evidence) -> Iterator[Fact]:
    """Yield the actions that the agent needs, then what else is there that calls AWS."""
    yield from _of_agent(evidence)
    for name, places, actions in _SOFTWARE:
        for node in (node for place in places for node in evidence.tree.glob(place)):
            yield Fact(Topic.PERMISSIONS, Basis.POSSIBLE, f"{name} is there, and uses {actions}", node.path)
    for name, places in _CLIENTS:
        for node in (node for place in places for node in evidence.tree.glob(place)):
            text = f"{name} is there, and can call whatever the role allows"
            yield Fact(Topic.PERMISSIONS, Basis.POSSIBLE, text, node.path)


def _of_agent(evidence: Evidence) -> Iterator[Fact]:
    config, trust = evidence.agent_config, evidence.subject.trust
    if config is None or trust is None:
        text = "none for an agent: agent.toml and trust.json, which would tell, are not both there and whole"
        yield Fact(Topic.PERMISSIONS, Basis.STATED, text)
        return
    text = (
        f"kms:Decrypt on keys of the accounts {', '.join(trust.vendor.accounts)} and no others, with an encryption "
        f"context that names the product {trust.product}"
    )
    yield Fact(Topic.PERMISSIONS, Basis.STATED, text, TRUST)
    if config.origin is BundleOrigin.USER_DATA:
        text = "s3:GetObject on the bucket and prefix that user data names, where the bundles lie in S3"
        yield Fact(Topic.PERMISSIONS, Basis.STATED, text, AGENT_CONFIG)
    yield Fact(Topic.PERMISSIONS, Basis.STATED, "no permission for attestation itself: the TPM is the instance's own")
