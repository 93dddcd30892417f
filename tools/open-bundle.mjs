#!/usr/bin/env node
/**
 * Opens a Holdfast bundle that is sealed with a key (encryption mode KEY), without Holdfast: plain Node 18 or later,
 * nothing to install.
 *
 *     node open-bundle.mjs BUNDLE.zip KEYS OUTPUT.zip [--signer FINGERPRINT] [--unsigned]
 *
 * KEYS is a text file with a line `<key id> <32 bytes in base64>` for each key, as the recovery kit holds them; other
 * lines are passed over. OUTPUT.zip becomes an ordinary zip with everything that the bundle holds; it appears complete
 * or not at all, and never takes the place of another file. What is checked: the manifest's signature (--signer: that
 * it is by this key), the SHA-256 of the payload, every chunk of it, and that none is missing.
 *
 * docs/bundle-format.md of Holdfast describes every byte that is read here.
 */
import {
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  hkdfSync,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import {
  closeSync,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { inflateRawSync } from 'node:zlib';

const USAGE = 'Usage: node open-bundle.mjs BUNDLE.zip KEYS OUTPUT.zip [--signer FINGERPRINT] [--unsigned]';
const FORMAT_VERSION = 1;
const CHUNK_BYTES = 64 * 1024;
const TAG_BYTES = 16;
const SALT_BYTES = 32;
const MAC_BYTES = 32;
/** What all payloads begin with: magic, version 1, cipher 1. */
const HEADER_START = Buffer.from('HOLDFAST\x01\x01', 'latin1');
/** RFC 8410: what stands before the 32 bytes of an Ed25519 public key in SPKI. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const MOST_MANIFEST_BYTES = 16 * 1024 * 1024;

/** What this program ends with; anything else that is thrown is a fault of its own or of the disk. */
class Refusal extends Error {}

function check(holds, message) {
  if (!holds) throw new Refusal(message);
}

/** Reads exactly these bytes. */
function readAt(file, start, length) {
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) {
    const count = readSync(file, bytes, at, length - at, start + at);
    check(count > 0, 'The bundle is cut short.');
    at += count;
  }
  return bytes;
}

/** The entries of the zip, from its Zip64 records, which every bundle has. */
function readDirectory(file) {
  const size = fstatSync(file).size;
  check(size > 98, 'This is no bundle.');
  const end = readAt(file, size - 98, 98);
  check(
    end.readUInt32LE(0) === 0x06064b50 && end.readUInt32LE(56) === 0x07064b50,
    'This is no whole bundle.',
  );
  const [bytes, offset] = [Number(end.readBigUInt64LE(40)), Number(end.readBigUInt64LE(48))];
  check(offset + bytes === size - 98 && bytes < 4096, 'This is no sealed bundle: unzip opens it.');
  const directory = readAt(file, offset, bytes);
  const entries = new Map();
  for (let at = 0; at < bytes; ) {
    check(
      at + 46 <= bytes && directory.readUInt32LE(at) === 0x02014b50,
      'The directory of the bundle is damaged.',
    );
    const [nameBytes, extraBytes] = [directory.readUInt16LE(at + 28), directory.readUInt16LE(at + 30)];
    const name = directory.toString('latin1', at + 46, at + 46 + nameBytes);
    let extra = at + 46 + nameBytes + 4;
    const wide = (value) => {
      if (value !== 0xffff_ffff) return value;
      extra += 8;
      return Number(directory.readBigUInt64LE(extra - 8));
    };
    const contentSize = wide(directory.readUInt32LE(at + 24));
    const storedSize = wide(directory.readUInt32LE(at + 20));
    const start = wide(directory.readUInt32LE(at + 42));
    entries.set(name, { method: directory.readUInt16LE(at + 10), contentSize, storedSize, start });
    at += 46 + nameBytes + extraBytes;
  }
  return entries;
}

/** Where the data of an entry begins. */
function dataStart(file, entry) {
  const header = readAt(file, entry.start, 30);
  check(header.readUInt32LE(0) === 0x04034b50, 'The bundle is damaged.');
  return entry.start + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
}

function readManifest(file, entries) {
  const entry = entries.get('manifest.json');
  check(
    entry !== undefined && entry.storedSize <= MOST_MANIFEST_BYTES,
    'This is no bundle: it has no manifest.',
  );
  const stored = readAt(file, dataStart(file, entry), entry.storedSize);
  const json = entry.method === 0 ? stored : inflateRawSync(stored, { maxOutputLength: MOST_MANIFEST_BYTES });
  const manifest = JSON.parse(json.toString());
  check(
    manifest.formatVersion === FORMAT_VERSION,
    `The bundle has format version ${manifest.formatVersion}.`,
  );
  return manifest;
}

/** RFC 8785: members sorted, no white space. */
function canonical(value) {
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}

/** The fingerprint of who signed it; undefined when nobody did. */
function checkSignature(manifest) {
  const { signature, ...unsigned } = manifest;
  if (signature === null) return undefined;
  const rawKey = Buffer.from(signature.publicKey, 'base64');
  const fingerprint = createHash('sha256').update(rawKey).digest('hex');
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, rawKey]), format: 'der', type: 'spki' });
  const valid =
    fingerprint === signature.fingerprint &&
    verify(null, Buffer.from(canonical(unsigned)), key, Buffer.from(signature.value, 'base64'));
  check(valid, 'The manifest is not what was signed: the bundle was changed or damaged.');
  return fingerprint;
}

function readKey(path, keyId) {
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [id, base64 = ''] = line.trim().split(/\s+/);
    if (id !== keyId) continue;
    const key = Buffer.from(base64, 'base64');
    check(key.length === 32, `The key ${keyId} in ${path} has not 32 bytes.`);
    return key;
  }
  throw new Refusal(`${path} does not hold the key ${keyId}, with which the bundle is sealed.`);
}

/** Checks the header of the payload; tells how long it is, and the key of the chunks. */
function openHeader(file, start, bytes, keyId, key) {
  const id = Buffer.from(keyId);
  const idLength = Buffer.alloc(2);
  idLength.writeUInt16BE(id.length);
  const expected = Buffer.concat([HEADER_START, idLength, id]);
  const length = expected.length + SALT_BYTES + MAC_BYTES;
  check(bytes >= length + TAG_BYTES, 'The payload is cut short.');
  const header = readAt(file, start, length);
  check(
    header.subarray(0, expected.length).equals(expected),
    'The payload does not begin as the manifest says.',
  );
  const salt = header.subarray(expected.length, expected.length + SALT_BYTES);
  const derive = (info) => Buffer.from(hkdfSync('sha256', key, salt, info, 32));
  const authenticated = header.subarray(0, length - MAC_BYTES);
  const mac = createHmac('sha256', derive('holdfast/header/v1')).update(authenticated).digest();
  check(
    timingSafeEqual(mac, header.subarray(length - MAC_BYTES)),
    `The key ${keyId} is not the one of this bundle.`,
  );
  return { header, payloadKey: derive('holdfast/payload/v1') };
}

function openChunk(payloadKey, index, last, sealed) {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(index), 3);
  nonce[11] = last ? 1 : 0;
  const opening = createDecipheriv('aes-256-gcm', payloadKey, nonce, { authTagLength: TAG_BYTES });
  opening.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plain = opening.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    opening.final();
  } catch {
    throw new Refusal(`Chunk ${index} of the payload is damaged, or not in its place.`);
  }
  return plain;
}

/** Decrypts into `output`; the hash of what it reads is checked at the end. */
function decrypt(file, output, payload, entry, key, keyId) {
  check(
    entry?.method === 0 && entry.storedSize === payload.bytes,
    'The payload is not as long as the manifest says.',
  );
  const start = dataStart(file, entry);
  const { header, payloadKey } = openHeader(file, start, payload.bytes, keyId, key);
  const hash = createHash('sha256').update(header);
  const sealedBytes = payload.bytes - header.length;
  for (let index = 0, at = 0; at < sealedBytes; index++) {
    const length = Math.min(CHUNK_BYTES + TAG_BYTES, sealedBytes - at);
    check(length > TAG_BYTES || (length === TAG_BYTES && index === 0), 'The payload is cut short.');
    const sealed = readAt(file, start + header.length + at, length);
    hash.update(sealed);
    at += length;
    const plain = openChunk(payloadKey, index, at === sealedBytes, sealed);
    for (let written = 0; written < plain.length; ) written += writeSync(output, plain, written);
  }
  check(hash.digest('hex') === payload.sha256, 'The payload is not the one of this manifest.');
}

function readArguments(words) {
  const paths = [];
  const options = { unsigned: false, signer: undefined };
  for (let at = 0; at < words.length; at++) {
    if (words[at] === '--unsigned') options.unsigned = true;
    else if (words[at] === '--signer') options.signer = words[++at]?.toLowerCase() ?? '';
    else paths.push(words[at]);
  }
  check(paths.length === 3 && !paths.some((path) => path.startsWith('--')), USAGE);
  // An empty variable of a shell must not switch the check off.
  check(options.signer === undefined || /^[0-9a-f]{64}$/.test(options.signer), USAGE);
  return { paths, ...options };
}

function main(words) {
  const { paths, signer, unsigned } = readArguments(words);
  const [bundlePath, keysPath, outputPath] = paths;
  const file = openSync(bundlePath, 'r');
  const entries = readDirectory(file);
  const manifest = readManifest(file, entries);
  const fingerprint = checkSignature(manifest);
  check(
    fingerprint !== undefined || unsigned,
    'Nobody signed this bundle. --unsigned opens it nevertheless.',
  );
  check(signer === undefined || signer === fingerprint, `It is signed by another key: ${fingerprint}.`);
  const { mode, keyId, payload } = manifest.encryption;
  check(mode !== 'NONE', 'The bundle is not sealed: unzip opens it.');
  check(mode === 'KEY', 'The bundle is sealed in the age format: its RESTORE.md says how to open it.');
  const key = readKey(keysPath, keyId);
  const partial = `${outputPath}.partial-${process.pid}`;
  const output = openSync(partial, 'wx', 0o600);
  try {
    decrypt(file, output, payload, entries.get(payload.entry), key, keyId);
    fsyncSync(output);
    // Unlike a rename, this fails when there is such a file already.
    linkSync(partial, outputPath);
  } finally {
    closeSync(output);
    rmSync(partial);
  }
  console.log(`${outputPath} is complete. Signed by: ${fingerprint ?? 'nobody'}`);
}

try {
  main(process.argv.slice(2));
} catch (error) {
  // A bundle may have been made to write to the terminal.
  const message = String(error instanceof Error ? error.message : error);
  console.error(message.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd'));
  process.exitCode = 1;
}
