// SPDX-License-Identifier: Apache-2.0
// A second verifier of NitroTPM documents, written from the rules in conformance/README.md alone, on Node's own crypto.
// It shows that the classes follow from the rules. It is not a product: it takes any root, and decides nothing that is
// optional in the suite with care.
import { X509Certificate, createHash, timingSafeEqual, verify as verifySignature } from "node:crypto";

class Refused extends Error {
  constructor(kind, message) {
    super(message);
    this.kind = kind;
  }
}
const refuse = (kind, message) => {
  throw new Refused(kind, message);
};
const need = (condition, message, kind = "format") => condition || refuse(kind, message);
const authentic = (condition, message) => need(condition, message, "not-authentic");
const trusted = (condition, message) => need(condition, message, "not-trusted");
const same = (one, other) => one.length === other.length && timingSafeEqual(one, other);

// Rules cbor-1 to cbor-5. Integers become BigInt, maps become Map, byte strings Buffer. Only the outermost map may be
// of indefinite length.
function decode(data) {
  let at = 0;
  const take = (length) => {
    need(at + length <= data.length, "truncated");
    at += length;
    return data.subarray(at - length, at);
  };
  const argument = (info) => {
    if (info < 24) return BigInt(info);
    need(info <= 27, "indefinite or reserved");
    const width = 1 << (info - 24);
    const value = BigInt("0x" + take(width).toString("hex"));
    need(value >= (width === 1 ? 24n : 1n << BigInt(4 * width)), "not the shortest form");
    return value;
  };
  const text = (bytes) => {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return refuse("format", "not UTF-8");
    }
  };
  const map = (more, depth) => {
    const found = new Map();
    while (more()) {
      const key = item(depth + 1);
      need(typeof key === "bigint" || typeof key === "string", "a key that is neither integer nor text");
      need(!found.has(key), "a key twice");
      found.set(key, item(depth + 1));
    }
    return found;
  };
  const item = (depth) => {
    need(depth <= 4, "too deep");
    const [first] = take(1);
    const major = first >> 5;
    if (first === 0xf6) return null;
    need(major < 6, "a tag, a simple value or a float");
    if (first === 0xbf && depth === 0) {
      return map(() => data[at] !== 0xff || (take(1), false), depth);
    }
    const value = argument(first & 31);
    if (major === 0) return value;
    if (major === 1) return -1n - value;
    need(value <= BigInt(data.length), "longer than the input");
    let left = Number(value);
    if (major === 2) return take(left);
    if (major === 3) return text(take(left));
    if (major === 4) return Array.from({ length: left }, () => item(depth + 1));
    return map(() => left-- > 0, depth);
  };
  const whole = item(0);
  need(at === data.length, "bytes after the end");
  return whole;
}

const bytes = (value, low, high) => {
  need(Buffer.isBuffer(value) && value.length >= low && value.length <= high, "not a byte string of that length");
  return value;
};
const keysAre = (map, required, optional) =>
  required.every((key) => map.has(key)) && [...map.keys()].every((key) => [...required, ...optional].includes(key));

// Rules envelope-1 to envelope-4.
function parseEnvelope(document) {
  need(document.length > 0 && document.length <= 16384, "size");
  const members = decode(document[0] === 0xd2 ? document.subarray(1) : document);
  need(Array.isArray(members) && members.length === 4, "not an array of four");
  const [protectedHeader, unprotected, payload, signature] = members;
  need(unprotected instanceof Map && !unprotected.has(1n), "the unprotected header");
  const header = decode(bytes(protectedHeader, 1, 64));
  need(header instanceof Map && header.get(1n) === -35n && !header.has(2n), "the protected header");
  return { protectedHeader, payload: bytes(payload, 1, 16384), signature: bytes(signature, 96, 96) };
}

// Rules payload-1 to payload-8, kind-1 and kind-2.
function parsePayload(payload) {
  const fields = decode(payload);
  need(fields instanceof Map && !fields.has("pcrs"), "not a map, or of the other kind");
  const required = ["module_id", "timestamp", "digest", "nitrotpm_pcrs", "certificate", "cabundle"];
  const optional = ["public_key", "user_data", "nonce"];
  need(keysAre(fields, required, optional), "fields");
  const moduleId = fields.get("module_id");
  need(typeof moduleId === "string" && /^i-[0-9a-f]+-tpm[0-9a-f]{16}$/.test(moduleId), "module_id");
  need(fields.get("digest") === "SHA384", "digest");
  const timestamp = fields.get("timestamp");
  need(typeof timestamp === "bigint" && timestamp > 0n, "timestamp");
  const pcrs = fields.get("nitrotpm_pcrs");
  need(pcrs instanceof Map && pcrs.size > 0, "PCRs");
  for (const [index, value] of pcrs) {
    need(typeof index === "bigint" && index >= 0n && index < 32n, "the index of a PCR");
    bytes(value, 48, 48);
  }
  const bundle = fields.get("cabundle");
  need(Array.isArray(bundle) && bundle.length > 0, "cabundle");
  const [publicKey, userData, nonce] = optional.map((name) => {
    const value = fields.get(name) ?? null;
    return value === null ? null : bytes(value, 0, 1024);
  });
  const path = [fields.get("certificate"), ...[...bundle].reverse()].map((der) => parseCertificate(bytes(der, 1, 1024)));
  return { timestamp, pcrs, publicKey, userData, nonce, path };
}

// DER, as far as certificates need it (X.690): returns the elements in a constructed value.
function elements(der) {
  const found = [];
  for (let at = 0; at < der.length; ) {
    const tag = der[at];
    let length = der[at + 1];
    let start = at + 2;
    if (length & 0x80) {
      const width = length & 0x7f;
      length = der.readUIntBE(start, width);
      start += width;
    }
    found.push({ tag, value: der.subarray(start, start + length), whole: der.subarray(at, start + length) });
    at = start + length;
  }
  return found;
}

function parseCertificate(der) {
  try {
    const certificate = new X509Certificate(der);
    need(same(certificate.raw, der), "more than a certificate");
    const [{ value: tbs }] = elements(elements(der)[0].value);
    const [, , , issuer, , subject] = elements(tbs);
    const wrapped = elements(tbs).find(({ tag }) => tag === 0xa3);
    return { certificate, issuer: issuer.whole, subject: subject.whole, ...parseExtensions(wrapped) };
  } catch (error) {
    if (error instanceof Refused) throw error;
    return refuse("format", "not a certificate");
  }
}

function parseExtensions(wrapped) {
  const found = { unknownCritical: false, authority: false, pathLength: null, usage: 0 };
  for (const { value } of wrapped ? elements(elements(wrapped.value)[0].value) : []) {
    const parts = elements(value);
    const oid = parts[0].value.toString("hex");
    const content = elements(parts.at(-1).value)[0];
    if (oid === "551d13") {
      const constraints = elements(content.value);
      found.authority = constraints.some(({ tag, value }) => tag === 1 && value[0] === 0xff);
      found.pathLength = constraints.find(({ tag }) => tag === 2)?.value.readInt8() ?? null;
    } else if (oid === "551d0f") {
      found.usage = content.value[1] ?? 0;
    } else if (parts.length === 3) {
      found.unknownCritical = true;
    }
  }
  return found;
}

const DIGITAL_SIGNATURE = 0x80;
const KEY_CERT_SIGN = 0x04;

// Rules path-1 to path-8 and time-1. `path` begins with the leaf.
function verifyPath(path, root, time) {
  const [leaf] = path;
  authentic(same(path.at(-1).certificate.raw, root), "another root");
  path.slice(0, -1).forEach((link, index) => {
    const above = path[index + 1];
    authentic(same(link.issuer, above.subject), "another issuer");
    authentic(link.certificate.verify(above.certificate.publicKey), "not the issuer's signature");
  });
  path.forEach((link, index) => {
    const { validFrom, validTo } = link.certificate;
    authentic(Date.parse(validFrom) <= time && time <= Date.parse(validTo), "not valid then");
    authentic(!link.unknownCritical, "an unknown critical extension");
    if (index === 0) return;
    authentic(link.authority && link.usage & KEY_CERT_SIGN, "not an issuer");
    authentic(link.pathLength === null || link.pathLength >= index - 1, "a path too long");
  });
  authentic(leaf.usage & DIGITAL_SIGNATURE && leaf.pathLength === null, "not a leaf");
  const { publicKey } = leaf.certificate;
  authentic(publicKey.asymmetricKeyDetails?.namedCurve === "secp384r1", "not a P-384 key");
  return publicKey;
}

// Rules signature-1 to signature-3: RFC 9052 section 4.4.
function verifyEnvelope({ protectedHeader, payload, signature }, key) {
  const string = (value) => {
    const width = value.length < 24 ? 0 : value.length < 256 ? 1 : 2;
    const head = Buffer.from([width ? 0x57 + width : 0x40 | value.length, ...Buffer.alloc(width)]);
    if (width) head.writeUIntBE(value.length, 1, width);
    return Buffer.concat([head, value]);
  };
  const context = Buffer.concat([Buffer.from([0x84, 0x6a]), Buffer.from("Signature1")]);
  const signed = Buffer.concat([context, string(protectedHeader), string(Buffer.alloc(0)), string(payload)]);
  authentic(verifySignature("sha384", signed, { key, dsaEncoding: "ieee-p1363" }, signature), "the signature");
}

const TOLERANCE = 60_000;

// Rules nonce-1, age-1, pcr-1, pcr-2, binding-1.
function appraise(found, inputs, time) {
  const equals = (value, hex) => value !== null && same(value, Buffer.from(hex, "hex"));
  trusted(equals(found.nonce, inputs.nonce), "the nonce");
  const age = BigInt(time) - found.timestamp;
  trusted(age <= BigInt(inputs.max_age * 1000) && age >= -BigInt(TOLERANCE), "the age");
  for (const [index, hex] of Object.entries(inputs.pcrs)) {
    trusted(equals(found.pcrs.get(BigInt(index)) ?? null, hex), `PCR ${index}`);
  }
  for (const index of [4n, 7n]) trusted(found.pcrs.get(index)?.some((byte) => byte !== 0), "an unmeasured PCR");
  trusted(inputs.public_key === null || equals(found.publicKey, inputs.public_key), "the public key");
  trusted(inputs.user_data === null || equals(found.userData, inputs.user_data), "the user data");
}

// Return the class of a document, and what identifies it if it is accepted.
export function verify(inputs) {
  const time = Date.parse(inputs.time);
  try {
    const envelope = parseEnvelope(Buffer.from(inputs.document, "hex"));
    const found = parsePayload(envelope.payload);
    verifyEnvelope(envelope, verifyPath(found.path, Buffer.from(inputs.root, "hex"), time));
    appraise(found, inputs, time);
    return { result: "success", identity: createHash("sha256").update(envelope.payload).digest("hex") };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { result: error.kind };
  }
}
