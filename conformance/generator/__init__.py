# SPDX-License-Identifier: Apache-2.0
"""Makes the vectors. It shares nothing with any verifier: CBOR writer, certificates and cases are its own."""
