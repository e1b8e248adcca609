# SPDX-License-Identifier: Apache-2.0
"""KMS key policies and the IAM policies beside them: parse, evaluate, generate. No clock, no network."""
