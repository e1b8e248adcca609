# SPDX-License-Identifier: Apache-2.0
"""Ship software into AWS accounts you do not control, and keep its secrets there."""
