/**
 * What a request holds that is never written down: passphrases and identities. They travel in memory beside the
 * record, so they are gone when its process is.
 */
import type { Sealing } from '../bundle/sealing.ts';
import type { RecordRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { Unlock } from './engine.ts';
import type { EngineParts } from './parts.ts';
import { readRequest } from './record-request.ts';

/** The secrets of one request. */
export interface RequestSecrets {
  /** What the bundle is opened with. */
  readonly unlock?: Unlock | undefined;
  /** What the bundle is sealed with, where that is a secret of the caller. */
  readonly sealing?: Sealing | undefined;
}

/** More characters than a passphrase or identity has. */
const LONGEST_SECRET = 1024;
/** Each is tried with the bundle. */
const MOST_IDENTITIES = 20;

/** @throws HoldfastError INVALID_INPUT for what can open nothing; it repeats none of it */
export function checkUnlock({ passphrase = '', identities = [] }: Unlock = {}): void {
  if (passphrase.length > LONGEST_SECRET) {
    throw new HoldfastError('INVALID_INPUT', `A passphrase has at most ${LONGEST_SECRET} characters.`, {
      field: 'unlock.passphrase',
    });
  }
  const field = 'unlock.identities';
  if (identities.length > MOST_IDENTITIES) {
    throw new HoldfastError('INVALID_INPUT', `At most ${MOST_IDENTITIES} identities are taken.`, { field });
  }
  for (const [index, identity] of identities.entries()) {
    if (identity.length <= LONGEST_SECRET && /^AGE-SECRET-KEY-1[0-9A-Z]+$/.test(identity)) continue;
    throw new HoldfastError(
      'INVALID_INPUT',
      `Identity ${index + 1} is no age identity (AGE-SECRET-KEY-1…).`,
      {
        field,
        hint: 'Copy that line of the key file whole, and no other line.',
      },
    );
  }
}

/** A record of which another process must not begin the work: it would lack what only this one was told. */
export interface KeptSecrets {
  /** The process that was told, as the identity of its leases. */
  readonly secretsWith?: string | undefined;
}

/** Goes into the request of a record: who was told its secrets; nothing when there are none. */
export function keptSecrets(parts: EngineParts, { unlock, sealing }: RequestSecrets): KeptSecrets {
  const any = unlock?.passphrase !== undefined || (unlock?.identities ?? []).length > 0;
  return any || sealing !== undefined ? { secretsWith: parts.identity.owner } : {};
}

/** Who was told the secrets of a record; undefined when it has none. */
export function secretsOwner(row: RecordRow): string | undefined {
  return readRequest<KeptSecrets>(row).secretsWith;
}

/** What a record that cannot be finished without its secrets says of them; empty when it had none. */
export function sayTheyAreGone(row: RecordRow): string {
  return secretsOwner(row) === undefined
    ? ''
    : ' The passphrase or identity it was given was never written down: give it again.';
}
