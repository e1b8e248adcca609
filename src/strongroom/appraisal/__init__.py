# SPDX-License-Identifier: Apache-2.0
"""The Verifier of RFC 9334 as pure functions: verify evidence, then appraise it against a policy.

Time, nonces and trust roots are arguments. Evidence changes its type as trust grows; nothing here returns a bool.
"""
