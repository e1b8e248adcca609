# SPDX-License-Identifier: Apache-2.0
"""The tree of a container image in an OCI layout: its layers, one unpacked over the other (OCI image-spec 1.1).

Each blob is compared with its digest. A layout with several images is refused unless its index leads to one of them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from strongroom.errors import FormatError
from strongroom.formats.tar import TarKind, parse_tar
from strongroom.imaging.tree.archives import unpack_tar_entry
from strongroom.imaging.tree.compression import Room, is_compressed, unpack
from strongroom.imaging.tree.folder import file_contents
from strongroom.imaging.tree.tree import Tree
from strongroom.imaging.tree.unpacking import Unpacking

SPEC = "OCI image-spec"
MARKER, INDEX = "oci-layout", "index.json"
MAX_JSON_BYTES = 4 << 20
MAX_BYTES = 32 << 30
"""Of all layers, unpacked."""
MAX_LAYERS = 256
_WHITEOUT, _OPAQUE = b".wh.", b".wh..wh..opq"
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_MAX_INDEXES = 4
_ATTESTATION = "attestation-manifest"
"""What build tools add beside an image, as if it were one (docker's `vnd.docker.reference.type`)."""


def is_oci_layout(folder: Path) -> bool:
    """Tell whether a folder is marked as an OCI layout."""
    return (folder / MARKER).is_file() and (folder / INDEX).is_file()


def oci_tree(layout: Path, scratch: Path, *, architecture: str = "") -> Tree:
    """Return the tree of the one image in a layout. `scratch` is an empty folder.

    `architecture` (`amd64`, `arm64`) picks one where there are several. Raises FormatError, or LocalFault as the other
    readers do.
    """
    manifest = _manifest(layout, architecture)
    layers = _list(manifest, "layers")
    if len(layers) > MAX_LAYERS:
        raise _refused("too-many", f"expected at most {MAX_LAYERS} layers, found {len(layers)}")
    unpacking = Unpacking()
    room = Room(MAX_BYTES)
    for layer in layers:
        contents = _blob(layout, layer)
        if is_compressed(contents):
            contents, _ = unpack(contents, room, scratch)
        _add_layer(unpacking, contents)
    return unpacking.tree()


def _manifest(layout: Path, architecture: str) -> Mapping[str, object]:
    found = _json(file_contents(layout / INDEX), INDEX)
    for _ in range(_MAX_INDEXES):
        if "manifests" not in found:
            return found
        listed = [each for each in _list(found, "manifests") if _is_image(each, architecture)]
        if len(listed) != 1:
            raise _refused("several", f"expected one image in the index, found {len(listed)}")
        found = _json(_blob(layout, listed[0]), str(listed[0].get("digest")))
    raise _refused("nesting", f"expected at most {_MAX_INDEXES} indexes in each other, found more")


def _is_image(listed: Mapping[str, object], architecture: str) -> bool:
    platform, notes = listed.get("platform"), listed.get("annotations")
    if isinstance(notes, dict) and notes.get("vnd.docker.reference.type") == _ATTESTATION:
        return False
    known = platform.get("architecture") if isinstance(platform, dict) else None
    return not architecture or known in {None, architecture}


def _add_layer(unpacking: Unpacking, contents: memoryview) -> None:
    """Unpack a layer. What it hides concerns the layers before it alone, so that comes first (image-spec, layer.md)."""
    for entry in parse_tar(contents):
        folder, slash, name = entry.name.rpartition(b"/")
        if name == _OPAQUE:
            unpacking.clear(unpacking.place(folder))
        elif name.startswith(_WHITEOUT):
            unpacking.remove(unpacking.place(folder + slash + name.removeprefix(_WHITEOUT)))
    for entry in parse_tar(contents):
        if not entry.name.rpartition(b"/")[2].startswith(_WHITEOUT) or entry.kind is TarKind.FOLDER:
            unpack_tar_entry(unpacking, entry)


def _blob(layout: Path, descriptor: Mapping[str, object]) -> memoryview:
    digest = _DIGEST.fullmatch(str(descriptor.get("digest")))
    if digest is None:
        raise _refused("digest", f"expected a digest sha256:…, found {str(descriptor.get('digest'))[:80]!r}")
    contents = file_contents(layout / "blobs" / "sha256" / digest[1])
    if hashlib.sha256(contents).hexdigest() != digest[1]:
        raise _refused("digest", f"expected a blob with the digest {digest[0]}, found another")
    return contents


def _json(contents: memoryview, name: str) -> Mapping[str, object]:
    if len(contents) > MAX_JSON_BYTES:
        raise _refused("json", f"expected at most {MAX_JSON_BYTES} bytes in {name}, found {len(contents)}")
    try:
        found = json.loads(bytes(contents))
    except (ValueError, RecursionError) as error:
        raise _refused("json", f"expected JSON in {name}: {error}") from error
    if not isinstance(found, dict):
        raise _refused("json", f"expected an object in {name}, found something else")
    return found


def _list(found: Mapping[str, object], key: str) -> list[Mapping[str, object]]:
    listed = found.get(key)
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise _refused("json", f"expected a list {key} of objects, found something else")
    return listed


def _refused(code: str, message: str) -> FormatError:
    return FormatError(f"oci.{code}", message, spec=SPEC)
