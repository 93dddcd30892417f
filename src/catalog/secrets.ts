/** Seals strings before they go into the catalog. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { HoldfastError } from '../errors.ts';
import { deriveKey } from './instance-key.ts';

/** Where a sealed string stands. It is bound to this place: moved elsewhere it does not open. */
export interface SecretPlace {
  readonly table: string;
  readonly id: string;
  readonly field: string;
}

/** Seals and opens strings with a key that is derived from the instance key. */
export interface Secrets {
  seal(plain: string, place: SecretPlace): string;
  /** @throws HoldfastError DECRYPTION_FAILED when the key, the place or the bytes are not those of the sealing. */
  open(sealed: string, place: SecretPlace): string;
}

/** `v1:` then base64url of nonce, tag and ciphertext: AES-256-GCM with the place as associated data. */
const PREFIX = 'v1:';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

function associatedData(place: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify([PREFIX, place.table, place.id, place.field]));
}

/** What to do about what does not open, by where it stands. */
function hintFor({ table }: SecretPlace): string {
  const first = 'Start Holdfast with the instance key the catalog was made with';
  return table === 'EncryptionKey'
    ? `${first}. If that is lost, a recovery kit has the key: holdfast recover. Without one its backups are lost; rotateEncryptionKey makes a key for new ones.`
    : `${first}, or make the source again.`;
}

function cannotOpen(place: SecretPlace, cause?: unknown): HoldfastError {
  return new HoldfastError(
    'DECRYPTION_FAILED',
    `The sealed ${place.field} of ${place.table} ${place.id} cannot be opened with this instance key.`,
    {
      hint: hintFor(place),
      cause,
    },
  );
}

/** Makes the sealer from the instance key. */
export function createSecrets(instanceKey: Buffer): Secrets {
  const key = deriveKey(instanceKey, 'catalog secrets');
  return {
    seal(plain, place) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(CIPHER, key, nonce).setAAD(associatedData(place));
      const sealed = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return PREFIX + Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
    },
    open(sealed, place) {
      const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64url');
      if (!sealed.startsWith(PREFIX) || bytes.length < NONCE_BYTES + TAG_BYTES) throw cannotOpen(place);
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const tag = bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
      try {
        const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
          .setAAD(associatedData(place))
          .setAuthTag(tag);
        const opened = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
        return Buffer.concat([opened, decipher.final()]).toString('utf8');
      } catch (error) {
        throw cannotOpen(place, error);
      }
    },
  };
}
