/**
 * Authenticated encryption in chunks: the STREAM construction as the age format has it (c2sp.org/age, "Payload"),
 * used for both kinds of payload. Each chunk has a nonce of its own made of its number and of whether it is the
 * last, so that a chunk that is moved, doubled, left out or cut off does not open.
 */
import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM } from 'node:crypto';

/** Plain bytes of every chunk but the last. */
export const CHUNK_BYTES = 64 * 1024;
/** Follows each chunk: what both ciphers authenticate with. */
export const TAG_BYTES = 16;
/** Of every chunk but the last, sealed. */
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;
/** Of either cipher's key. */
export const PAYLOAD_KEY_BYTES = 32;

const NONCE_BYTES = 12;
const LAST_CHUNK = 1;
const OPTIONS = { authTagLength: TAG_BYTES } as const;

/** The ciphers payloads are made with. */
export type CipherName = 'aes-256-gcm' | 'chacha20-poly1305';

/** A cipher with the key of one payload, which is never used for another. */
export interface ChunkCipher {
  readonly name: CipherName;
  readonly key: Buffer;
}

/** Each name has a signature of its own among node's types, though what they give is the same. */
function sealer({ name, key }: ChunkCipher, nonce: Buffer): CipherGCM {
  return name === 'aes-256-gcm'
    ? createCipheriv(name, key, nonce, OPTIONS)
    : createCipheriv(name, key, nonce, OPTIONS);
}

function opener({ name, key }: ChunkCipher, nonce: Buffer): DecipherGCM {
  return name === 'aes-256-gcm'
    ? createDecipheriv(name, key, nonce, OPTIONS)
    : createDecipheriv(name, key, nonce, OPTIONS);
}

/** Eleven bytes for the number, big-endian, and one that is 1 in the last chunk only. */
function nonceOf(index: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  // Numbers are exact up to 2^53 chunks of 64 KiB, which is more than any disk holds.
  nonce.writeBigUInt64BE(BigInt(index), 3);
  nonce[NONCE_BYTES - 1] = last ? LAST_CHUNK : 0;
  return nonce;
}

/**
 * Seals one chunk.
 * @param into takes ciphertext and tag, at `at`
 * @returns where the next chunk goes
 */
export function sealChunk(
  cipher: ChunkCipher,
  place: { readonly index: number; readonly last: boolean },
  plain: Buffer,
  into: Buffer,
  at: number,
): number {
  const sealing = sealer(cipher, nonceOf(place.index, place.last));
  let end = at + sealing.update(plain).copy(into, at);
  end += sealing.final().copy(into, end);
  return end + sealing.getAuthTag().copy(into, end);
}

/** Opens one chunk; undefined when it is not the chunk that was sealed in this place with this key. */
export function openChunk(
  cipher: ChunkCipher,
  place: { readonly index: number; readonly last: boolean },
  sealed: Buffer,
): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const opening = opener(cipher, nonceOf(place.index, place.last));
  opening.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  const plain = opening.update(sealed.subarray(0, sealed.length - TAG_BYTES));
  try {
    opening.final();
  } catch {
    return undefined;
  }
  return plain;
}

/** How chunks lie in so many sealed bytes. */
export interface ChunkLayout {
  readonly chunks: number;
  readonly plainBytes: number;
}

/** Undefined when no number of chunks has this size: only a payload of nothing has an empty chunk. */
export function layoutOf(sealedBytes: number): ChunkLayout | undefined {
  const chunks = Math.ceil(sealedBytes / SEALED_CHUNK_BYTES);
  const lastPlain = sealedBytes - (chunks - 1) * SEALED_CHUNK_BYTES - TAG_BYTES;
  if (chunks < 1 || lastPlain < 0 || (lastPlain === 0 && chunks > 1)) return undefined;
  return { chunks, plainBytes: (chunks - 1) * CHUNK_BYTES + lastPlain };
}
