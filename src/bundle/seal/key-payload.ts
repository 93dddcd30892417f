/**
 * Payloads of mode KEY, `payload.zip.aesgcm`: a header of our own, then chunks of AES-256-GCM. The header is
 * described byte by byte in docs/bundle-format.md; tools/open-bundle.mjs reads it without this program.
 */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { HoldfastError } from '../../errors.ts';
import { wrongContent } from '../refusal.ts';
import { type ChunkCipher, PAYLOAD_KEY_BYTES } from './chunks.ts';
import type { PayloadHead } from './payload-head.ts';

const MAGIC = Buffer.from('HOLDFAST', 'latin1');
const VERSION = 1;
/** AES-256-GCM in chunks of 64 KiB. */
const CIPHER = 1;
const FIXED_BYTES = MAGIC.length + 4;
const LONGEST_KEY_ID = 255;
const SALT_BYTES = 32;
const MAC_BYTES = 32;
const PAYLOAD_INFO = 'holdfast/payload/v1';
const HEADER_INFO = 'holdfast/header/v1';

/** No header is longer. */
export const MOST_KEY_HEADER_BYTES: number = FIXED_BYTES + LONGEST_KEY_ID + SALT_BYTES + MAC_BYTES;

function derive(key: Buffer, salt: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, PAYLOAD_KEY_BYTES));
}

function cipherOf(key: Buffer, salt: Buffer): ChunkCipher {
  return { name: 'aes-256-gcm', key: derive(key, salt, PAYLOAD_INFO) };
}

function macOf(key: Buffer, salt: Buffer, header: Buffer): Buffer {
  return createHmac('sha256', derive(key, salt, HEADER_INFO))
    .update(header)
    .digest();
}

/**
 * The head of a new payload, with a fresh salt.
 * @param keyId 1 to 255 bytes of UTF-8
 * @param key 32 bytes
 */
export function newKeyHead(keyId: string, key: Buffer): PayloadHead {
  const id = Buffer.from(keyId);
  if (id.length === 0 || id.length > LONGEST_KEY_ID || key.length !== PAYLOAD_KEY_BYTES) {
    throw new Error('a key to seal with has an id of 1 to 255 bytes and 32 bytes of its own');
  }
  const salt = randomBytes(SALT_BYTES);
  const idLength = Buffer.alloc(2);
  idLength.writeUInt16BE(id.length);
  const header = Buffer.concat([MAGIC, Buffer.from([VERSION, CIPHER]), idLength, id, salt]);
  return { header: Buffer.concat([header, macOf(key, salt, header)]), cipher: cipherOf(key, salt) };
}

/**
 * How long the header is that a payload begins with.
 * @param start its first bytes, {@link MOST_KEY_HEADER_BYTES} or all of them
 * @param keyId as the manifest has it
 * @throws INVALID_CHECKSUM when it is no such header
 */
export function keyHeaderBytes(start: Buffer, entry: string, keyId: string): number {
  const id = Buffer.from(keyId);
  const saltAt = FIXED_BYTES + id.length;
  const end = saltAt + SALT_BYTES + MAC_BYTES;
  const known =
    id.length <= LONGEST_KEY_ID &&
    start.length >= end &&
    start.subarray(0, MAGIC.length).equals(MAGIC) &&
    start[MAGIC.length] === VERSION &&
    start[MAGIC.length + 1] === CIPHER &&
    start.readUInt16BE(MAGIC.length + 2) === id.length &&
    start.subarray(FIXED_BYTES, saltAt).equals(id);
  if (!known) throw wrongContent(entry, 'does not begin as its manifest says');
  return end;
}

/**
 * Reads the head of a payload.
 * @param start its first bytes, {@link MOST_KEY_HEADER_BYTES} or all of them
 * @param keyId as the manifest has it
 * @throws INVALID_CHECKSUM when it is no such header, DECRYPTION_FAILED when the key is not the one it was made with
 */
export function openKeyHead(start: Buffer, entry: string, keyId: string, key: Buffer): PayloadHead {
  const header = start.subarray(0, keyHeaderBytes(start, entry, keyId));
  const mac = header.subarray(header.length - MAC_BYTES);
  const authenticated = header.subarray(0, header.length - MAC_BYTES);
  const salt = authenticated.subarray(authenticated.length - SALT_BYTES);
  if (!timingSafeEqual(macOf(key, salt, authenticated), mac)) {
    throw new HoldfastError(
      'DECRYPTION_FAILED',
      `The bundle does not open with the key ${keyId}: ${entry} was sealed with another one, or it is damaged.`,
      {
        hint: 'Use the key that it was sealed with, from the instance that made it or from its recovery kit.',
      },
    );
  }
  return { header, cipher: cipherOf(key, salt) };
}
