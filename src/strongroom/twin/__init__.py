# SPDX-License-Identifier: Apache-2.0
"""An AWS of one's own, on this machine: KMS, STS, instance metadata and instances whose NitroTPM signs documents.

It speaks AWS's wire protocols, so that boto3, the AWS CLI and the agent use it unchanged, and its roots are its own:
production code has no test mode, it is handed these roots or it refuses. docs/twin.md says which behaviour of AWS
is documented, measured or assumed.
"""
