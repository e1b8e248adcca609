# SPDX-License-Identifier: Apache-2.0
"""What differs between two builds of an image, down to the file, the section and the byte."""
