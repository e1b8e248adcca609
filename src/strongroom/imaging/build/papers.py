# SPDX-License-Identifier: Apache-2.0
"""What is to be known of an image, as files beside it: measurements, bill of materials, build record, provenance.

None of it is signed: it is what the vendor looks at, compares and then vouches for.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from strongroom.errors import LocalFault
from strongroom.formats.build_record import BuildRecord, FileDigest, Tool, encode_build_record
from strongroom.formats.measurements import ImageFacts, encode_measurements
from strongroom.imaging.build.order import Order
from strongroom.imaging.build.pipeline import Built
from strongroom.imaging.build.workshop import PACKAGES
from strongroom.imaging.provenance import BUILD_RECORD_NAME, PROVENANCE_NAME, digest_file, encode_provenance
from strongroom.imaging.sbom import (
    INITRD,
    SBOM_NAME,
    UKI,
    Bill,
    Component,
    agent_component,
    debian_components,
    encode_sbom,
    file_components,
    python_component,
)
from strongroom.imaging.secure_boot import encode_key_files
from strongroom.imaging.wheels import ImagePython, wheels_for
from strongroom.measure.predict import measure_image

DISK_NAME, IMAGE_NAME = "disk.raw", "image.efi"
MEASUREMENTS_NAME = "pcr_measurements.json"
_ELSEWHERE = {"cryptsetup-bin": (INITRD,), "busybox-static": (INITRD,), "systemd-boot-efi": (UKI,)}
"""What of the packages is in the initrd, or around it; so is the kernel."""
_LICENCES = {"cryptography": "Apache-2.0 OR BSD-3-Clause", "cffi": "MIT"}


def papers(order: Order, built: Built, spec: bytes, *, disk: Path, epoch: int) -> Mapping[str, bytes]:
    """Return the files by name, the image's own among them. `spec` is the specification as it was written.

    Raises LocalFault where the disk cannot be read, UsageError for keys of which AWS takes no more.
    """
    written = {IMAGE_NAME: built.image, MEASUREMENTS_NAME: _measurements(order, built)}
    if order.signing is not None:
        written |= encode_key_files(order.signing.keys)
    written[SBOM_NAME] = encode_sbom(_bill(order, built, epoch))
    outputs = (digest_file(disk, DISK_NAME), *(_digest(name, held) for name, held in written.items()))
    record = _record(order, built, spec, outputs=outputs, epoch=epoch)
    return {**written, BUILD_RECORD_NAME: encode_build_record(record), PROVENANCE_NAME: encode_provenance(record)}


def _digest(name: str, contents: bytes) -> FileDigest:
    return FileDigest(name, hashlib.sha256(contents).digest(), len(contents))


def _measurements(order: Order, built: Built) -> bytes:
    keys = order.signing.keys if order.signing else None
    measured = measure_image(built.image, secure_boot=keys)
    facts = measured.strongroom or ImageFacts()
    inputs = (("variant", order.variant), ("base", built.foundation.base.name))
    return encode_measurements(
        replace(measured, strongroom=replace(facts, image_id=order.spec.name, build_inputs=inputs))
    )


def _bill(order: Order, built: Built, epoch: int) -> Bill:
    kernels = {each.name: (UKI, INITRD) for each in built.foundation.packages if each.name.startswith("linux-image-")}
    components = [
        *debian_components(
            built.root, built.foundation.packages, built.foundation.base, elsewhere={**_ELSEWHERE, **kernels}
        ),
        *file_components(_inputs(order)),
    ]
    if built.foundation.python is not None:
        components += [agent_component(version("strongroom")), *_wheel_components(built.foundation.python)]
    return Bill(
        order.spec.name, order.spec.architecture, order.variant, built.foundation.base, epoch, tuple(components)
    )


def _wheel_components(python: ImagePython) -> Iterator[Component]:
    for wheel in wheels_for(python):
        digest = bytes.fromhex(wheel.sha256)
        yield python_component(wheel.package, wheel.version, sha256=digest, licence=_LICENCES[wheel.package])


def _inputs(order: Order) -> Iterator[FileDigest]:
    """Yield what the vendor wrote into the image, by the path that it has there."""
    for file in order.spec.files:
        yield _digest(file.path, order.read(file.content))
    for unit in order.spec.units:
        if unit.content is not None:
            yield _digest(f"/etc/systemd/system/{unit.name}", order.read(unit.content))


def _record(order: Order, built: Built, spec: bytes, *, outputs: tuple[FileDigest, ...], epoch: int) -> BuildRecord:
    agent = (_digest(each.path, each.contents) for each in built.foundation.of_this_image)
    return BuildRecord(
        image=order.spec.name,
        architecture=order.spec.architecture,
        variant=order.variant,
        source_date_epoch=epoch,
        spec=_digest("image.toml", spec),
        base=built.foundation.base,
        inputs=(*_inputs(order), *agent),
        packages=built.foundation.packages,
        tools=tuple(_tools()),
        outputs=outputs,
    )


def _tools() -> Iterator[Tool]:
    """Yield ourselves, and the packages of the programs that were used, with the versions that are installed here."""
    yield Tool("strongroom", version("strongroom"))
    names = sorted(set(PACKAGES.values()))
    done = subprocess.run(  # noqa: S603 -- names of ours
        ["/usr/bin/dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *names],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LocalFault("image.no-versions", f"expected dpkg to know its packages, found: {done.stderr.strip()[:300]}")
    for line in done.stdout.splitlines():
        yield Tool(*line.split(" ", 1))
