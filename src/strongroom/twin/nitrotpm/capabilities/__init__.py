# SPDX-License-Identifier: Apache-2.0
"""What the TPM says about itself when asked: a file for each long list of GetCapability (Part 3, section 30.2)."""
