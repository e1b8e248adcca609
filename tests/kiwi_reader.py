# SPDX-License-Identifier: Apache-2.0
"""KIWI NG reads a description: its schema, its rules, its own parser. Run as a program (GPL), never imported.

kiwi_reader.py FOLDER prints what it understood, as JSON; it ends with an error for a description that it refuses.
"""

import json
import logging
import sys

from kiwi.xml_description import XMLDescription
from kiwi.xml_state import XMLState


def understood(folder: str) -> dict[str, object]:
    state = XMLState(XMLDescription(f"{folder}/appliance.xml").load())
    build = state.build_type
    repositories = [section.get_source() for section in state.get_repository_sections()]
    return {
        "name": state.xml_data.get_name(),
        "packages": state.get_system_packages(),
        "ignored": state.get_system_ignore_packages(),
        "collections": state.get_system_collections(),
        "bootstrap": state.get_bootstrap_packages(),
        "kernelcmdline": build.get_kernelcmdline(),
        "image": build.get_image(),
        "firmware": build.get_firmware(),
        "overlayroot": build.get_overlayroot(),
        "write_partition": build.get_overlayroot_write_partition(),
        "readonly_filesystem": build.get_overlayroot_readonly_filesystem(),
        "verity_blocks": build.get_verity_blocks(),
        "editbootinstall": build.get_editbootinstall(),
        "uefi": state.get_dracut_config("setup").uefi,
        "bootloader": state.get_build_type_bootloader_name(),
        "repositories": [source.get_path() for source in repositories],
        "keys": [key.get_key() for source in repositories for key in source.get_signing()],
        "signatures": state.get_rpm_check_signatures(),
        "resize": state.get_oemconfig_oem_resize(),
    }


if __name__ == "__main__":
    logging.disable(logging.INFO)
    print(json.dumps(understood(sys.argv[1])))
