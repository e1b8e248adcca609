# SPDX-License-Identifier: Apache-2.0
"""The `strongroom` program: one file per command; `main.py` turns errors into prose and exit codes."""
