/** How a backup is to be sealed: checked when it is asked for, made ready when its turn comes. */
import type { Sealing } from '../bundle/sealing.ts';
import { HoldfastError } from '../errors.ts';
import { isAgeRecipient } from './age-recipient.ts';
import type { Encryption } from './engine.ts';
import type { EngineParts } from './parts.ts';
import type { RunningRecord } from './running-record.ts';

/** What a record remembers of its sealing: everything but the passphrase. */
export type SealRequest =
  | { mode: 'NONE' }
  /** The key that sealed when the backup was asked for. */
  | { mode: 'KEY'; keyId: string }
  | { mode: 'PASSPHRASE' }
  | { mode: 'RECIPIENT'; recipients: string[] };

/** Shorter passphrases are guessed, however slow scrypt makes it. Characters. */
const SHORTEST_PASSPHRASE = 8;
/** Longer ones help nobody, and are worked on for each bundle. Characters. */
const LONGEST_PASSPHRASE = 1024;
/** Each adds to the header of the payload and to the manifest. */
const MOST_RECIPIENTS = 20;

/** @throws HoldfastError INVALID_INPUT for a passphrase or recipients that will not do; it repeats no passphrase */
export function checkEncryption(encryption: Encryption): void {
  if (encryption.mode === 'PASSPHRASE') {
    const { length } = [...encryption.passphrase];
    // The age program asks for it on a terminal.
    const typable = !/\p{Cc}/u.test(encryption.passphrase);
    if (length >= SHORTEST_PASSPHRASE && length <= LONGEST_PASSPHRASE && typable) return;
    throw new HoldfastError(
      'INVALID_INPUT',
      `A passphrase has from ${SHORTEST_PASSPHRASE} to ${LONGEST_PASSPHRASE} characters, none of them a control character.`,
      {
        field: 'encryption.passphrase',
        hint: 'Six random words or more are good. Nothing opens the backup without it.',
      },
    );
  }
  if (encryption.mode === 'RECIPIENT') checkRecipients(encryption.recipients);
}

function checkRecipients(recipients: readonly string[]): void {
  const field = 'encryption.recipients';
  if (recipients.length === 0 || recipients.length > MOST_RECIPIENTS) {
    throw new HoldfastError('INVALID_INPUT', `From 1 to ${MOST_RECIPIENTS} recipients are needed.`, {
      field,
    });
  }
  for (const [index, recipient] of recipients.entries()) {
    if (isAgeRecipient(recipient)) continue;
    // Not repeated: somebody may have pasted an identity, which is a secret.
    throw new HoldfastError('INVALID_INPUT', `Recipient ${index + 1} is no age recipient (age1…).`, {
      field,
      hint: 'Copy it whole, as age-keygen -y prints it. Keys of SSH and plugins are not taken.',
    });
  }
}

/** Words for the record. The first backup of a workspace makes its key. */
export async function sealRequest(
  parts: EngineParts,
  workspaceId: string,
  encryption: Encryption = { mode: 'KEY' },
): Promise<SealRequest> {
  switch (encryption.mode) {
    case 'KEY':
      return { mode: 'KEY', keyId: (await parts.catalog.encryptionKeys.active(workspaceId)).id };
    case 'RECIPIENT':
      return { mode: 'RECIPIENT', recipients: [...new Set(encryption.recipients)] };
    default:
      return { mode: encryption.mode };
  }
}

/** What the writer seals with. @throws HoldfastError DECRYPTION_FAILED when the catalog's key does not open */
export async function sealingOf(
  parts: EngineParts,
  record: RunningRecord,
  request: SealRequest,
): Promise<Sealing> {
  if (request.mode === 'PASSPHRASE') {
    if (record.sealing?.mode !== 'PASSPHRASE') throw new Error('a record began without its passphrase');
    return record.sealing;
  }
  if (request.mode !== 'KEY') return request;
  const { encryptionKeys } = parts.catalog;
  const { workspaceId } = record.row;
  const planned = await encryptionKeys.find(workspaceId, request.keyId);
  // One that was retired while the backup waited seals no more.
  const { id, key } = planned?.retiredAt === null ? planned : await encryptionKeys.active(workspaceId);
  return { mode: 'KEY', keyId: id, key };
}
