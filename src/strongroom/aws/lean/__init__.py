# SPDX-License-Identifier: Apache-2.0
"""The agent's AWS client: KMS Decrypt with attestation, and instance metadata. The standard library and nothing else.

It reads no environment variable, no configuration file, no system trust store and no proxy setting: who runs the
account could set all of these.
"""
