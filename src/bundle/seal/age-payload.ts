/**
 * Payloads of modes PASSPHRASE and RECIPIENT, `payload.zip.age`: plain files of the age format (c2sp.org/age), which
 * the program `age` opens and makes. The header is age-encryption's work; its cipher would be a tenth as fast as
 * node:crypto's, so it is given nothing to encrypt, and the file key is taken from where it hands it out.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { Decrypter, Encrypter, type Identity, type Recipient } from 'age-encryption';
import { HoldfastError } from '../../errors.ts';
import { wrongContent } from '../refusal.ts';
import { scryptIdentity, scryptRecipient } from './age-scrypt.ts';
import { type ChunkCipher, PAYLOAD_KEY_BYTES } from './chunks.ts';
import type { PayloadHead } from './payload-head.ts';

/** A header with more recipients than fit into this is neither written nor read. */
export const MOST_AGE_HEADER_BYTES: number = 128 * 1024;

const NONCE_BYTES = 16;
/** The last line of a header: three dashes, a space and 32 bytes in base64. */
const LAST_LINE = '\n--- ';
const LAST_LINE_BYTES = LAST_LINE.length + 43 + 1;

function cipherOf(fileKey: Uint8Array, nonce: Buffer): ChunkCipher {
  const key = Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', PAYLOAD_KEY_BYTES));
  return { name: 'chacha20-poly1305', key };
}

/** Where the textual header of an age file ends; undefined when it does not. */
function textBytes(file: Buffer): number | undefined {
  const start = file.subarray(0, MOST_AGE_HEADER_BYTES).indexOf(LAST_LINE);
  const end = start + LAST_LINE_BYTES;
  return start < 0 || file.length < end + NONCE_BYTES ? undefined : end;
}

/**
 * How long header and nonce are that a payload begins with.
 * @param start its first bytes, {@link MOST_AGE_HEADER_BYTES} or all of them
 * @throws INVALID_CHECKSUM when it is no age file
 */
export function ageHeaderBytes(start: Buffer, entry: string): number {
  const end = textBytes(start);
  if (end === undefined) throw wrongContent(entry, 'does not begin like an age file');
  return end + NONCE_BYTES;
}

async function newHead(recipients: readonly (string | Recipient)[]): Promise<PayloadHead> {
  let fileKey: Uint8Array | undefined;
  const encrypter = new Encrypter();
  encrypter.addRecipient({
    wrapFileKey(key) {
      fileKey = Uint8Array.from(key);
      return [];
    },
  });
  for (const recipient of recipients) encrypter.addRecipient(recipient);
  const file = Buffer.from(await encrypter.encrypt(new Uint8Array()));
  const end = textBytes(file);
  if (end === undefined || fileKey === undefined) throw tooManyRecipients();
  // Not the nonce of the file of nothing, so that its key is not used again.
  const nonce = randomBytes(NONCE_BYTES);
  return { header: Buffer.concat([file.subarray(0, end), nonce]), cipher: cipherOf(fileKey, nonce) };
}

/** The head of a new payload that opens with the passphrase. */
export function newPassphraseHead(passphrase: string): Promise<PayloadHead> {
  return newHead([scryptRecipient(passphrase)]);
}

/**
 * The head of a new payload that opens with the identity of any of the recipients.
 * @param recipients `age1…`
 * @throws INVALID_INPUT when one of them is none, or when they are too many
 */
export async function newRecipientHead(recipients: readonly string[]): Promise<PayloadHead> {
  try {
    return await newHead(recipients);
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw new HoldfastError('INVALID_INPUT', 'One of the recipients is no age recipient.', {
      hint: 'A recipient is what age-keygen prints as the public key: age1 and 58 more characters.',
      cause: error,
    });
  }
}

/**
 * Reads the head of a payload.
 * @param start its first bytes, {@link MOST_AGE_HEADER_BYTES} or all of them
 * @throws INVALID_CHECKSUM when it is no age file, DECRYPTION_FAILED when the passphrase is not the one
 */
export function openPassphraseHead(start: Buffer, entry: string, passphrase: string): Promise<PayloadHead> {
  return openHead(start, entry, [scryptIdentity(passphrase)], 'the passphrase');
}

/**
 * Reads the head of a payload.
 * @param start its first bytes, {@link MOST_AGE_HEADER_BYTES} or all of them
 * @param identities `AGE-SECRET-KEY-1…`
 * @throws INVALID_CHECKSUM when it is no age file, DECRYPTION_FAILED when it was not made for any of the identities
 */
export function openRecipientHead(
  start: Buffer,
  entry: string,
  identities: readonly string[],
): Promise<PayloadHead> {
  return openHead(start, entry, identities, 'any of the identities');
}

async function openHead(
  start: Buffer,
  entry: string,
  identities: readonly (string | Identity)[],
  what: string,
): Promise<PayloadHead> {
  const header = start.subarray(0, ageHeaderBytes(start, entry));
  const nonce = header.subarray(header.length - NONCE_BYTES);
  const text = header.subarray(0, header.length - NONCE_BYTES);
  try {
    const decrypter = new Decrypter();
    for (const identity of identities) decrypter.addIdentity(identity);
    return { header, cipher: cipherOf(await decrypter.decryptHeader(text), nonce) };
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    // The cause stays out: it might quote an identity that was mistyped.
    throw new HoldfastError(
      'DECRYPTION_FAILED',
      `The bundle does not open with ${what}: ${entry} was sealed with something else, or it is damaged.`,
      { hint: 'Its manifest says what it was sealed with.' },
    );
  }
}

function tooManyRecipients(): HoldfastError {
  return new HoldfastError('INVALID_INPUT', 'The bundle is to be sealed for too many recipients.', {
    hint: 'Seal it for fewer, one of which passes it on.',
  });
}
