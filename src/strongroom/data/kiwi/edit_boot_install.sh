#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kiwi runs this as root, outside of the image, when the disk is complete: edit_boot_install.sh DISK ROOT_DEVICE
# (KIWI NG documentation, `editbootinstall`). It leaves one program on the EFI system partition, the unified kernel
# image, where firmware starts it without a menu, and measures it. Whatever fails here fails the build.
set -euo pipefail
shopt -s inherit_errexit nullglob nocaseglob

disk=$1
strongroom=${STRONGROOM:-strongroom}
measured=$(dirname "$disk")/pcr_measurements.json

stop() {
  echo "edit_boot_install.sh: $*" >&2
  exit 1
}

partition_with_fat() { # the device of the disk's one FAT file system
  local loop found
  loop=$(losetup --noheadings --output NAME --associated "$disk")
  [ -n "$loop" ] || stop "expected a loop device of $disk, found none"
  found=$(lsblk --noheadings --raw --paths --output NAME,FSTYPE "$loop" | awk '$2 == "vfat" { print $1 }' | sort -u)
  # shellcheck disable=SC2086 # a list of devices
  one "FAT file system on $disk" $found
}

mount_again() { # where it is mounted; kiwi has it mounted, or else it is mounted here and unmounted at the end
  esp=$(findmnt --noheadings --first-only --output TARGET --source "$1" || true)
  [ -z "$esp" ] || return 0
  esp=$(mktemp --directory)
  mount "$1" "$esp"
  trap 'umount "$esp" && rmdir "$esp"' EXIT
}

one() { # one WHAT THING...: the thing, if it is the only one
  local what=$1
  shift
  [ $# = 1 ] || stop "expected one $what, found $#: $*"
  echo "$1"
}

device=$(partition_with_fat)
mount_again "$device"
image=$(one "unified kernel image in EFI/Linux" "$esp"/EFI/Linux/*.efi)
boots=$(one "program that firmware starts" "$esp"/EFI/BOOT/BOOT*.EFI)
cp "$image" "$boots"
rm -r "$esp/EFI/Linux"
rm -rf "$esp/EFI/systemd" "$esp/loader"
sync --file-system "$esp"
left=$(find "$esp" -type f)
[ "$left" = "$boots" ] || stop "expected nothing beside the image, found: $left"

"$strongroom" measure "$boots" -o "$measured"
if command -v nitro-tpm-pcr-compute > /dev/null; then # AWS's own, from aws-nitro-tpm-tools: it has to agree
  nitro-tpm-pcr-compute --image "$boots" > "$measured.aws"
  values=$(tr -d ' \n' < "$measured.aws" | grep -oE '"PCR[0-9]+":"[0-9a-f]{96}"') || stop "expected PCRs from it"
  for value in $values; do
    tr -d ' \n' < "$measured" | grep -qF "$value" || stop "nitro-tpm-pcr-compute found $value, strongroom another"
  done
fi
