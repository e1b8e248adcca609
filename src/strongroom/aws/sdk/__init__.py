# SPDX-License-Identifier: Apache-2.0
"""Adapters over boto3, for the vendor's machine. Profiles, regions and endpoints work as in the AWS CLI."""
