// SPDX-License-Identifier: Apache-2.0
// A second reader of bundles, written from docs/formats/bundle.md alone, on Node's own crypto:
//   node bundle_reader.mjs VECTOR...    prints one JSON object a line: {file, result, context, entries}
// It shows that the page is enough to write a reader. It is not a product: it holds files in memory and asks no KMS.
import { createDecipheriv, createHash, createPublicKey, hkdfSync, timingSafeEqual, verify } from "node:crypto";
import { readFileSync } from "node:fs";

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
const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();

// Section 2: deterministic CBOR. Integers become BigInt, maps become Map.
function decode(data) {
  let at = 0;
  const take = (length) => {
    need(at + length <= data.length, "truncated CBOR");
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
  const item = (depth) => {
    need(depth <= 5, "too deep");
    const [first] = take(1);
    const major = first >> 5;
    if (major === 7) {
      need(first === 0xf6, "a simple value or a float");
      return null;
    }
    const value = argument(first & 31);
    if (major === 0) return value;
    if (major === 1) return -1n - value;
    need(value <= BigInt(data.length) && major < 6, "a tag, or longer than the input");
    const length = Number(value);
    if (major === 2) return take(length);
    if (major === 3) {
      try {
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(take(length));
      } catch (error) {
        if (error instanceof TypeError) refuse("format", "not UTF-8");
        throw error;
      }
    }
    if (major === 4) return Array.from({ length }, () => item(depth + 1));
    const map = new Map();
    let previous = null;
    for (let i = 0; i < length; i++) {
      const start = at;
      const key = item(depth + 1);
      need(typeof key === "string" || typeof key === "bigint", "a key of another type");
      const encoded = data.subarray(start, at);
      need(previous === null || Buffer.compare(previous, encoded) < 0, "keys out of order or twice");
      previous = encoded;
      map.set(key, item(depth + 1));
    }
    return map;
  };
  const result = item(1);
  need(at === data.length, "trailing bytes");
  return result;
}

const head = (major, length) => {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 256) return Buffer.from([(major << 5) | 24, length]);
  return length < 65536
    ? Buffer.from([(major << 5) | 25, length >> 8, length & 255])
    : Buffer.from([(major << 5) | 26, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255]);
};
const bstr = (bytes) => Buffer.concat([head(2, bytes.length), bytes]);
const tstr = (text) => Buffer.concat([head(3, Buffer.byteLength(text)), Buffer.from(text)]);

const record = (map, names) => {
  need(map instanceof Map, "not a map");
  need(map.size === names.length && names.every((name) => map.has(name)), "unknown or missing keys");
  return Object.fromEntries(map);
};
const bytes = (value, low, high = low) => {
  need(Buffer.isBuffer(value) && value.length >= low && value.length <= high, `not ${low} to ${high} bytes`);
  return value;
};
const text = (value, pattern) => {
  need(typeof value === "string" && pattern.test(value), `not ${pattern}`);
  return value;
};
const number = (value, low, high) => {
  need(typeof value === "bigint" && value >= low && value <= high, `not ${low} to ${high}`);
  return value;
};
const list = (value, low, high) => {
  need(Array.isArray(value) && value.length >= low && value.length <= high, `not ${low} to ${high} members`);
  return value;
};
const ascending = (values) => need(values.every((v, i) => i === 0 || values[i - 1] < v), "out of order or twice");
const ID = /^[a-z0-9][a-z0-9-]{0,62}$/;
const ARN = /^arn:(aws[a-z-]{0,20}):kms:([a-z]{2,8}(?:-[a-z]{2,16}){1,3}-[0-9]{1,2}):([0-9]{12}):key\/[A-Za-z0-9-]{1,64}$/;
const COUNTER = [1n, (1n << 53n) - 1n];
const TIME = [0n, 253402300799n];

const KINDS = {
  bundle: ["895352420d0a1a0a", "bundle-header"],
  escrow: ["895352450d0a1a0a", "bundle-escrow"],
};

// Sections 1.1 and 3
function parseEnvelope(file, kind) {
  const [magic, label] = KINDS[kind];
  need(file.length >= 16 && file.subarray(0, 8).toString("hex") === magic, "magic");
  need(file.readUInt16BE(8) === 1 && file.readUInt16BE(10) === 0, "layout version");
  const length = file.readUInt32BE(12);
  need(length >= 1 && length <= 65536 && file.length >= 16 + length, "header length");
  const parts = decode(file.subarray(16, 16 + length));
  list(parts, 4, 4);
  const [protectedBytes, unprotected, payload, signature] = parts;
  need(unprotected instanceof Map && unprotected.size === 0, "unprotected parameters");
  const map = decode(bytes(protectedBytes, 1, 65536));
  need(map instanceof Map && map.size === 3, "protected parameters");
  const alg = map.get(1n);
  need(alg === -8n || alg === -35n, "alg");
  need(map.get(3n) === `application/vnd.strongroom.${label}.v1+cbor`, "content type");
  const kid = bytes(map.get(4n), 32);
  bytes(signature, alg === -8n ? 64 : 96);
  const signed = Buffer.concat([
    head(4, 4), tstr("Signature1"), bstr(protectedBytes), bstr(Buffer.from(`strongroom/${label}/v1`)), bstr(bytes(payload, 1, 65536)),
  ]);
  return { alg, kid, signed, signature, payload, end: 16 + length };
}

// Section 4
const parseWrap = (value) => {
  const wrap = record(value, ["key-arn", "data-key"]);
  const [, partition, region, account] = ARN.exec(text(wrap["key-arn"], ARN));
  bytes(wrap["data-key"], 1, 6144);
  return { partition, region, account };
};
const parseSubject = (f) => {
  for (const name of ["product", "tenant", "name"]) text(f[name], ID);
  number(f.epoch, ...COUNTER);
  need(["secret", "code", "configuration"].includes(f.purpose), "purpose");
};
function parseHeader(payload) {
  const f = record(decode(payload), [
    "version", "suite", "product", "name", "bundle-version", "epoch", "created", "not-after", "tenant", "accounts",
    "purpose", "wraps", "content",
  ]);
  need(f.version === 1n && f.suite === 1n, "version or suite");
  parseSubject(f);
  number(f["bundle-version"], ...COUNTER);
  number(f.created, ...TIME);
  if (f["not-after"] !== null) need(number(f["not-after"], ...TIME) > f.created, "not-after");
  ascending(list(f.accounts, 1, 64).map((account) => text(account, /^[0-9]{12}$/)));
  f.wraps = list(f.wraps, 1, 8).map(parseWrap);
  ascending(f.wraps.map((wrap) => wrap.region));
  const c = (f.content = record(f.content, ["id", "commitment", "chunk-log2", "table", "body", "root"]));
  bytes(c.id, 32);
  bytes(c.commitment, 32);
  c.log2 = Number(number(c["chunk-log2"], 12n, 24n));
  bytes(c.table, 17, 49152);
  c.body = record(c.body, ["length", "placement"]);
  c.length = Number(number(c.body.length, 16n, 1n << 44n));
  need(["inline", "detached"].includes(c.body.placement), "placement");
  if (c.root === null) need(f.purpose === "secret", "root is required");
  else bytes(c.root, 32);
  return f;
}
function parseEscrow(payload) {
  const f = record(decode(payload), ["version", "product", "tenant", "purpose", "name", "epoch", "content-id", "wrap"]);
  need(f.version === 1n, "version");
  parseSubject(f);
  bytes(f["content-id"], 32);
  f.wrap = parseWrap(f.wrap);
  return f;
}

// Section 9, step 1
function verifySignature(envelope, [alg, roles, spki]) {
  const der = Buffer.from(spki, "hex");
  need(sha256(der).equals(envelope.kid), "kid", "not-authentic");
  need(envelope.alg === BigInt(alg), "alg is not the pinned one", "not-authentic");
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  const options = alg === "-8" ? key : { key, dsaEncoding: "ieee-p1363" };
  need(verify(alg === "-8" ? null : "sha384", envelope.signed, options, envelope.signature), "signature", "not-authentic");
  need(roles.split(",").includes("bundle"), "role", "not-trusted");
}
function requireMeantFor(f, known) {
  const trust = (condition, message) => need(condition, message, "not-trusted");
  trust(f.product === known.product && f.name === known.name, "product or name");
  trust(f["bundle-version"] >= BigInt(known.floor), "floor");
  trust(f["not-after"] === null || BigInt(known.now) <= f["not-after"], "expired");
  trust(f.accounts.includes(known.account), "account");
  const wrap = f.wraps.find(({ region }) => region === known.region);
  trust(wrap !== undefined, "region");
  trust(wrap.account === known["key-accounts"] && wrap.partition === known.partition, "key owner");
}

// Section 8
function verifyTree(body, table, content) {
  const cut = (data, size) => {
    const parts = [];
    for (let i = 0; i < data.length; i += size) parts.push(data.subarray(i, i + size));
    return parts;
  };
  let level = Buffer.concat(cut(body, 2 ** content.log2 + 16).map((block) => sha256(Buffer.from([0]), block)));
  const levels = [];
  while (level.length > 32) {
    levels.push(level);
    level = Buffer.concat(cut(level, 128 * 32).map((group) => sha256(Buffer.from([1]), group)));
  }
  need(level.equals(content.root), "root", "not-authentic");
  need(Buffer.concat(levels).equals(table), "hash table", "not-authentic");
}
const tableLength = ({ root, length, log2 }) => {
  let count = Math.ceil(length / (2 ** log2 + 16));
  let total = 0;
  for (; root !== null && count > 1; count = Math.ceil(count / 128)) total += 32 * count;
  return total;
};

// Section 6
function openKeys(dataKey, c) {
  need(dataKey.length === 32, "data key", "not-authentic");
  const derive = (kind, index) => {
    const info = Buffer.alloc(kind.length + 29);
    const at = info.write(`strongroom/bundle/v1/${kind}`, "ascii") + 1;
    info.writeUInt16BE(1, at);
    info.writeUInt8(c.log2, at + 2);
    info.writeUInt32BE(index, at + 3);
    return Buffer.from(hkdfSync("sha384", dataKey, c.id, info.subarray(0, at + 7), 32));
  };
  need(timingSafeEqual(derive("commitment", 0), c.commitment), "commitment", "not-authentic");
  return (index) => derive("entry", index);
}
function decryptChunk(key, counter, last, sealed) {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(counter), 3);
  nonce[11] = last ? 1 : 0;
  const cipher = createDecipheriv("aes-256-gcm", key, nonce);
  cipher.setAuthTag(sealed.subarray(-16));
  const plain = cipher.update(sealed.subarray(0, -16));
  try {
    return Buffer.concat([plain, cipher.final()]);
  } catch (error) {
    return refuse("not-authentic", `chunk ${counter}: ${error.message}`);
  }
}

// Section 7
const chunks = (size, log2) => Math.max(1, Math.ceil(size / 2 ** log2));
function parseTable(plain, c) {
  const entries = list(decode(plain), 1, 1024).map((value) => record(value, ["name", "media-type", "mode", "size"]));
  for (const e of entries) {
    text(e.name, /^[A-Za-z0-9._+@=-]+(\/[A-Za-z0-9._+@=-]+)*$/);
    need(e.name.length <= 255 && !e.name.split("/").some((part) => part === "." || part === ".."), "entry name");
    text(e["media-type"], /^[\x21-\x7e]{1,127}$/);
    number(e.mode, 0n, 511n);
    e.size = Number(number(e.size, 0n, 1n << 40n));
    e.length = e.size + 16 * chunks(e.size, c.log2);
  }
  const names = entries.map((e) => e.name);
  need(new Set(names).size === names.length, "a name twice");
  need(!names.some((name) => names.some((other) => other.startsWith(`${name}/`))), "a file that is a folder");
  need(entries.reduce((sum, e) => sum + e.length, 0) === c.length, "sizes");
  return entries;
}

function openBundle(file, known) {
  const envelope = parseEnvelope(file, "bundle");
  const fields = parseHeader(envelope.payload);
  const c = fields.content;
  const end = envelope.end + c.length;
  need(file.length === end + tableLength(c), "file length");
  verifySignature(envelope, known.signer.split(" "));
  requireMeantFor(fields, known);
  const key = openKeys(Buffer.from(known["data-key"], "hex"), c);
  const body = file.subarray(envelope.end, end);
  if (c.root !== null) verifyTree(body, file.subarray(end), c);
  let at = 0;
  const entries = parseTable(decryptChunk(key(0), 0, true, c.table), c).map((entry, i) => {
    const entryKey = key(i + 1);
    const count = chunks(entry.size, c.log2);
    const plain = [];
    const stop = at + entry.length;
    for (let n = 0; n < count; n++, at += 2 ** c.log2 + 16)
      plain.push(decryptChunk(entryKey, n, n === count - 1, body.subarray(at, Math.min(stop, at + 2 ** c.log2 + 16))));
    at = stop;
    return `${entry.name} ${entry["media-type"]} ${entry.mode.toString(8)} ${sha256(...plain).toString("hex")}`;
  });
  return { fields, entries };
}
function openEscrow(file, known) {
  const envelope = parseEnvelope(file, "escrow");
  const fields = parseEscrow(envelope.payload);
  need(envelope.end === file.length, "file length");
  verifySignature(envelope, known.signer.split(" "));
  return { fields, entries: [] };
}

function run(path) {
  const data = readFileSync(path);
  const split = data.indexOf("\n\n");
  const known = Object.fromEntries(
    data.subarray(0, split).toString().split("\n").filter((line) => !/^(expect|comment|entry|context):/.test(line))
      .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]),
  );
  try {
    const { fields: f, entries } = (known.kind === "escrow" ? openEscrow : openBundle)(data.subarray(split + 2), known);
    const context = `product=${f.product} tenant=${f.tenant} purpose=${f.purpose} name=${f.name} epoch=${f.epoch}`;
    return { file: path, result: "success", context, entries };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { file: path, result: error.kind, why: error.message };
  }
}

for (const path of process.argv.slice(2)) console.log(JSON.stringify(run(path)));
