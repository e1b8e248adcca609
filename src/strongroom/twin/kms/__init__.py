# SPDX-License-Identifier: Apache-2.0
"""AWS KMS over its JSON 1.1 protocol: keys, aliases, policies, and decisions with attestation documents."""
