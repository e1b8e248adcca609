# SPDX-License-Identifier: Apache-2.0
"""What an image can do to the account that runs it, as far as its files say: the customer's side of the audit."""
