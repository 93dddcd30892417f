/**
 * The scrypt stanza of age files (c2sp.org/age, "The scrypt recipient type") over node:crypto, which works beside
 * the event loop; age-encryption's own runs on it, in JavaScript.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto';
import { type Identity, type Recipient, Stanza } from 'age-encryption';
import { HoldfastError } from '../../errors.ts';
import { Turns } from '../turns.ts';
import { PAYLOAD_KEY_BYTES, TAG_BYTES } from './chunks.ts';

/**
 * 2^17 with r = 8, what OWASP's Password Storage Cheat Sheet asks for: about half a second and 128 MiB. age's own 18
 * takes 256 MiB, which is more than a whole backup may.
 */
export const SCRYPT_LOG_N = 17;
/** A bundle that asks for more would take over 1 GiB of memory to open. */
const MOST_LOG_N = 20;

const STANZA = 'scrypt';
const LABEL = 'age-encryption.org/v1/scrypt';
const SALT_BYTES = 16;
const FILE_KEY_BYTES = 16;
const BLOCK_SIZE = 8;
const LOG_N = /^[1-9][0-9]?$/;
/** Each wrapping key is used once, so one nonce is enough. */
const NONCE = Buffer.alloc(12);
const CIPHER = 'chacha20-poly1305';
const OPTIONS = { authTagLength: TAG_BYTES } as const;

/** Each takes its memory, up to 1 GiB where a bundle asks for it: all that ask at the same time would take it together. */
const turns = new Turns(1);

function derive(passphrase: string, salt: Buffer, logN: number): Promise<Buffer> {
  const N = 2 ** logN;
  // scrypt takes 128 * N * r bytes and a little; node allows 32 MiB unless told.
  const options = { N, r: BLOCK_SIZE, p: 1, maxmem: 128 * (N + 16) * BLOCK_SIZE };
  const labelled = Buffer.concat([Buffer.from(LABEL), salt]);
  return turns.run(
    () =>
      new Promise((resolve, reject) => {
        scrypt(passphrase, labelled, PAYLOAD_KEY_BYTES, options, (error, key) =>
          error === null ? resolve(key) : reject(error),
        );
      }),
  );
}

/** Wraps file keys for whoever knows the passphrase. */
export function scryptRecipient(passphrase: string): Recipient {
  return {
    async wrapFileKey(fileKey) {
      const salt = randomBytes(SALT_BYTES);
      const sealing = createCipheriv(CIPHER, await derive(passphrase, salt, SCRYPT_LOG_N), NONCE, OPTIONS);
      const body = Buffer.concat([sealing.update(fileKey), sealing.final(), sealing.getAuthTag()]);
      return [new Stanza([STANZA, salt.toString('base64').replace(/=+$/, ''), String(SCRYPT_LOG_N)], body)];
    },
  };
}

/** Unwraps what {@link scryptRecipient} wrapped, or the program `age` did. */
export function scryptIdentity(passphrase: string): Identity {
  return {
    async unwrapFileKey(stanzas) {
      const [stanza, ...others] = stanzas;
      if (stanza === undefined || !stanzas.some(({ args }) => args[0] === STANZA)) return null;
      const [, salt64 = '', workFactor = '', ...more] = stanza.args;
      const salt = Buffer.from(salt64, 'base64');
      const wellFormed =
        // Who adds a second recipient could otherwise pass a file off as made by who knows the passphrase.
        others.length === 0 &&
        more.length === 0 &&
        salt.length === SALT_BYTES &&
        LOG_N.test(workFactor) &&
        stanza.body.length === FILE_KEY_BYTES + TAG_BYTES;
      if (!wellFormed) throw new Error('the scrypt stanza is malformed or not the only one');
      const logN = Number(workFactor);
      if (logN > MOST_LOG_N) throw tooDear(logN);
      const opening = createDecipheriv(CIPHER, await derive(passphrase, salt, logN), NONCE, OPTIONS);
      opening.setAuthTag(stanza.body.subarray(FILE_KEY_BYTES));
      const fileKey = opening.update(stanza.body.subarray(0, FILE_KEY_BYTES));
      try {
        opening.final();
      } catch {
        return null;
      }
      return fileKey;
    },
  };
}

function tooDear(logN: number): HoldfastError {
  return new HoldfastError(
    'DECRYPTION_FAILED',
    `The bundle asks for scrypt with a work factor of ${logN}; up to ${MOST_LOG_N} is taken.`,
    { hint: 'Open its payload with the program age, if you trust where the bundle comes from.' },
  );
}
