# SPDX-License-Identifier: Apache-2.0
"""The probes, by what they are about. Importing this package enters them all."""

from conformance.aws.probes import aliases, attested, documents, grants, identities, keys, permissions, signatures, use

__all__ = ["aliases", "attested", "documents", "grants", "identities", "keys", "permissions", "signatures", "use"]
