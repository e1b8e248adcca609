# SPDX-License-Identifier: Apache-2.0
"""Adapters to AWS: `lean` is the agent's own small client, `sdk` is boto3 for the vendor's machine.

Both implement the ports and raise errors of `strongroom.errors` only.
"""
