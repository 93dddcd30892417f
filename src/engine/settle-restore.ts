/** Brings a restore to one side, now or, when the database cannot be asked, later by recovery. */
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../errors.ts';
import type { Database } from '../source/source.ts';
import type { EngineParts } from './parts.ts';
import { type RestoreJournal, readJournal, settle } from './restore-journal.ts';
import { type RunningRecord, UndecidedError } from './running-record.ts';

/** How often a database that cannot be reached is asked again before recovery takes over, and the pause between. */
const ATTEMPTS = 5;
const PAUSE_MS = 1000;

/**
 * Settles a restore whose commit has just been tried.
 * @param known the side, where it needs no asking; null lets journal and database decide
 * @throws UndecidedError when the database cannot be asked, so recovery must
 */
export async function settleNow(
  parts: EngineParts,
  record: RunningRecord,
  database: Database | undefined,
  fallback: RestoreJournal,
  known: 'NEW' | 'OLD' | null,
): Promise<'NEW' | 'OLD'> {
  // Nobody may cancel the way to one side: the signal of the record has no say here.
  const signal = new AbortController().signal;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const journal = (await readJournal(parts, record.row.id)) ?? fallback;
      return await settle(parts, { ...journal, decided: known ?? journal.decided }, database, signal);
    } catch (error) {
      parts.log.warn({ err: error, recordId: record.row.id, attempt }, 'a restore could not be settled yet');
      if (attempt >= ATTEMPTS) {
        throw new UndecidedError(
          error instanceof HoldfastError ? error.message : 'the restore could not be settled',
          { cause: error },
        );
      }
      await sleep(PAUSE_MS);
    }
  }
}

/** What a record says while its restore is open: once for each reason, so that whoever looks can tell why. */
export async function sayWhatItWaitsFor(record: RunningRecord, error: unknown): Promise<void> {
  const fault = error instanceof UndecidedError ? error.cause : error;
  const reason =
    fault instanceof HoldfastError
      ? `${fault.message} It is tried again. updateSource may correct the address of the database; if it will never answer again, decideRestore ends the wait.`
      : 'an unexpected fault, see the log. It is tried again.';
  const warning = `The restore is not settled yet: ${reason}`;
  if (record.warnings.includes(warning)) return;
  record.warn(warning);
  await record.amend({});
}
