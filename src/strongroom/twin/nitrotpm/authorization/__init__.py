# SPDX-License-Identifier: Apache-2.0
"""Who may do what: the authorization area of a command, sessions of a policy, and what they sign (Part 1, 16 to 19).

Start with `area`, which reads, `call`, which holds, and `decision`, which decides; `availability` and
`policy_check` answer its questions.
"""
