# SPDX-License-Identifier: Apache-2.0
"""Why a request to KMS is allowed or denied, in sentences with stable codes, and what would change the answer.

`evaluate` alone decides. This package asks it, reads its trace, and asks it again for every change that it proposes: a
change of which `evaluate` does not say that it allows the request is never shown.
"""
