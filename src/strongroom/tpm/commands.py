# SPDX-License-Identifier: Apache-2.0
"""The commands that the client sends, by their sections of Part 3. Names of parts are those of its tables."""

from __future__ import annotations

from collections.abc import Sequence

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.nv_public import NvPublic
from strongroom.formats.tpm.pcr_selection import PcrSelection, encode_pcr_selections
from strongroom.formats.tpm.public_area import PublicArea
from strongroom.formats.tpm.schemes import NO_SCHEME, Symmetric
from strongroom.formats.tpm.wire import sized, u8, u16, u32
from strongroom.tpm.command import NULL, OWNER, Command, Entity, Key

_EMPTY = sized(b"")


def start_auth_session(
    salt_key: Entity, *, nonce: bytes, encrypted_salt: bytes, kind: int, symmetric: Symmetric, hash_alg: Alg
) -> Command:
    """TPM2_StartAuthSession (11.1): salted, not bound. Returns the session's handle, and nonceTPM."""
    return Command(
        Cc.START_AUTH_SESSION,
        {"tpmKey": salt_key, "bind": NULL},
        {
            "nonceCaller": sized(nonce),
            "encryptedSalt": sized(encrypted_salt),
            "sessionType": u8(kind),
            "symmetric": symmetric.encode(),
            "authHash": u16(hash_alg),
        },
        returns_handle=True,
    )


def create_primary(hierarchy: Entity, template: PublicArea) -> Command:
    """TPM2_CreatePrimary (24.1). Returns a handle; outPublic, creationData, creationHash, creationTicket, name."""
    return Command(
        Cc.CREATE_PRIMARY,
        {"primaryHandle": hierarchy},
        {
            "inSensitive": sized(_EMPTY + _EMPTY),
            "inPublic": sized(template.encode()),
            "outsideInfo": _EMPTY,
            "creationPCR": encode_pcr_selections(()),
        },
        returns_handle=True,
        sized_in=True,
        sized_out=True,
    )


def create_sealed(parent: Key, template: PublicArea, secret: bytes) -> Command:
    """TPM2_Create (12.1). Returns outPrivate, outPublic, creationData, creationHash, creationTicket."""
    return Command(
        Cc.CREATE,
        {"parentHandle": parent.entity},
        {
            "inSensitive": sized(_EMPTY + sized(secret)),
            "inPublic": sized(template.encode()),
            "outsideInfo": _EMPTY,
            "creationPCR": encode_pcr_selections(()),
        },
        sized_in=True,
        sized_out=True,
    )


def load(parent: Key, *, private: bytes, public: PublicArea) -> Command:
    """TPM2_Load (12.2). Returns a handle; name."""
    return Command(
        Cc.LOAD,
        {"parentHandle": parent.entity},
        {"inPrivate": sized(private), "inPublic": sized(public.encode())},
        returns_handle=True,
        sized_in=True,
        sized_out=True,
    )


def unseal(item: Entity) -> Command:
    """TPM2_Unseal (12.7). Returns outData."""
    return Command(Cc.UNSEAL, {"itemHandle": item}, sized_out=True)


def policy_pcr(session: Entity, *, digest: bytes, selection: PcrSelection) -> Command:
    """TPM2_PolicyPCR (23.7). Returns nothing."""
    return Command(
        Cc.POLICY_PCR,
        {"policySession": session},
        {"pcrDigest": sized(digest), "pcrs": encode_pcr_selections((selection,))},
    )


def quote(key: Key, *, extra_data: bytes, selection: PcrSelection) -> Command:
    """TPM2_Quote (18.4) with the key's own scheme. Returns quoted, signature."""
    return Command(
        Cc.QUOTE,
        {"signHandle": key.entity},
        {
            "qualifyingData": sized(extra_data),
            "inScheme": NO_SCHEME.encode(),
            "PCRselect": encode_pcr_selections((selection,)),
        },
        sized_in=True,
        sized_out=True,
    )


def flush_context(handle: int) -> Command:
    """TPM2_FlushContext (28.4). The handle travels as a parameter, and needs no authorization."""
    return Command(Cc.FLUSH_CONTEXT, parameters={"flushHandle": u32(handle)})


def get_capability(capability: int, first: int, count: int) -> Command:
    """TPM2_GetCapability (30.2). Returns moreData, capabilityData."""
    parameters = {"capability": u32(capability), "property": u32(first), "propertyCount": u32(count)}
    return Command(Cc.GET_CAPABILITY, parameters=parameters)


def pcr_read(selections: Sequence[PcrSelection]) -> Command:
    """TPM2_PCR_Read (22.4). Returns pcrUpdateCounter, pcrSelectionOut, pcrValues: at most eight of them."""
    return Command(Cc.PCR_READ, parameters={"pcrSelectionIn": encode_pcr_selections(selections)})


def nv_define_space(public: NvPublic, auth: bytes) -> Command:
    """TPM2_NV_DefineSpace (31.3) under the owner hierarchy. Returns nothing."""
    parameters = {"auth": sized(auth), "publicInfo": sized(public.encode())}
    return Command(Cc.NV_DEFINE_SPACE, {"authHandle": OWNER}, parameters, sized_in=True)


def nv_undefine_space(index: Entity) -> Command:
    """TPM2_NV_UndefineSpace (31.4) by the owner. Returns nothing."""
    return Command(Cc.NV_UNDEFINE_SPACE, {"authHandle": OWNER, "nvIndex": index})


def nv_read_public(index: Entity) -> Command:
    """TPM2_NV_ReadPublic (31.6). Returns nvPublic, nvName."""
    return Command(Cc.NV_READ_PUBLIC, {"nvIndex": index})


def nv_write(index: Entity, data: bytes, offset: int) -> Command:
    """TPM2_NV_Write (31.7), authorized by the index itself. Returns nothing."""
    parameters = {"data": sized(data), "offset": u16(offset)}
    return Command(Cc.NV_WRITE, {"authHandle": index, "nvIndex": index}, parameters, sized_in=True)


def nv_read(index: Entity, size_bytes: int, offset: int) -> Command:
    """TPM2_NV_Read (31.13), authorized by the index itself. Returns data."""
    parameters = {"size": u16(size_bytes), "offset": u16(offset)}
    return Command(Cc.NV_READ, {"authHandle": index, "nvIndex": index}, parameters, sized_out=True)


def aws_nsm_request(index: Entity) -> Command:
    """TPM2_VENDOR_AWS_NSM_REQUEST (AWS NitroTPM-Tools): asks the NSM what stands in the index. Returns nothing."""
    return Command(Cc.AWS_NSM_REQUEST, {"authHandle": index, "nvIndex": index})
