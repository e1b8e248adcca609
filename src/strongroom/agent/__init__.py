# SPDX-License-Identifier: Apache-2.0
"""What runs inside an instance: it trusts the measured `trust.json`, asks KMS, and delivers secrets to the app."""
