# SPDX-License-Identifier: Apache-2.0
"""Is there any request without an allowed document that a key's policies allow? Over all requests, not by sampling.

`ask` has the questions, `answer` the three answers. docs/formats/key-policy.md says what each answer proves and what it
does not; docs/adr/0011-own-decision-procedure.md says how they are found.
"""
