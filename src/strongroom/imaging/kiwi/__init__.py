# SPDX-License-Identifier: Apache-2.0
"""Writes a specification as a KIWI NG description for Amazon Linux 2023. Building from it is kiwi's work, as root."""
