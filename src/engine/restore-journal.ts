/**
 * The journal of a restore: written and synced before anything of the target changes for good, it says how to
 * find out whether the database committed, and which trees stand where. From it the crash in the middle is
 * brought to one side: wholly old or wholly new.
 */
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, systemErrorCode } from '../errors.ts';
import type { SwapPlan } from '../source/file-trees.ts';
import type { Database, RestoreTicket } from '../source/source.ts';
import type { EngineParts } from './parts.ts';
import { syncDirectory } from './sync-directory.ts';

/** What a journal says. */
export interface RestoreJournal {
  readonly recordId: string;
  /** The transaction that decides; null when no database is restored, then `decided` alone does. */
  readonly ticket: RestoreTicket | null;
  readonly swaps: readonly SwapPlan[];
  /** Set once it is known; from then on recovery only finishes. */
  readonly decided: 'NEW' | 'OLD' | null;
  /** Who decided it in place of a database that does not answer; absent when nobody had to. */
  readonly decidedBy?: string;
  /** Where the SQLite database lay; absent for other kinds. At another path, a missing mark proves nothing. */
  readonly databasePath?: string;
}

/** Writes the journal, complete and durable when it resolves. @throws HoldfastError STORAGE_FULL */
export async function writeJournal(parts: EngineParts, journal: RestoreJournal): Promise<void> {
  try {
    await writeDurably(parts, journal);
  } catch (cause) {
    const code = systemErrorCode(cause);
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw cause;
    throw new HoldfastError('STORAGE_FULL', 'There is no room left for the journal of the restore.', {
      hint: 'Free some space in the data directory.',
      cause,
    });
  }
}

async function writeDurably(parts: EngineParts, journal: RestoreJournal): Promise<void> {
  const { journal: directory } = parts.directories;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const temporary = temporaryPath(parts, journal.recordId);
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify(journal));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, journalPath(parts, journal.recordId));
  await syncDirectory(directory);
}

/** The journal of a record; undefined when there is none, so nothing of the target was changed for good. */
export async function readJournal(parts: EngineParts, recordId: string): Promise<RestoreJournal | undefined> {
  try {
    // Written by writeJournal alone, in a directory that only this user can write.
    return JSON.parse(await readFile(journalPath(parts, recordId), 'utf8')) as RestoreJournal;
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Brings files to the side the database is on (or, without one, the journal says) and clears up. Idempotent: a
 * crash in its middle is finished by the next call. The journal stays, see {@link dropJournal}.
 * @throws HoldfastError SOURCE_UNREACHABLE when the database cannot be asked now
 */
export async function settle(
  parts: EngineParts,
  journal: RestoreJournal,
  database: Database | undefined,
  signal: AbortSignal,
): Promise<'NEW' | 'OLD'> {
  const decided = journal.decided ?? (await ask(journal, database, signal));
  if (decided === 'OLD') {
    for (const plan of journal.swaps) await parts.trees.swapBack(plan);
    return decided;
  }
  // From here on the journal alone knows: the database is about to forget, and the replaced files go.
  await writeJournal(parts, { ...journal, decided });
  for (const plan of journal.swaps) await parts.trees.swap(plan);
  for (const plan of journal.swaps) await parts.trees.discardPrevious(plan);
  if (journal.ticket !== null) await database?.forget(journal.ticket, signal);
  return decided;
}

/**
 * Removes the journal. Only when the catalog says how the restore ended: a crash before that needs the journal to
 * tell an old target from a new one. Idempotent.
 */
export async function dropJournal(parts: EngineParts, recordId: string): Promise<void> {
  await rm(temporaryPath(parts, recordId), { force: true });
  await rm(journalPath(parts, recordId), { force: true });
  await syncDirectory(parts.directories.journal);
}

async function ask(
  journal: RestoreJournal,
  database: Database | undefined,
  signal: AbortSignal,
): Promise<'NEW' | 'OLD'> {
  if (journal.ticket === null) return 'OLD';
  if (database === undefined)
    throw new Error(`the journal of ${journal.recordId} names a database that is gone`);
  return (await database.outcome(journal.ticket, signal)) === 'COMMITTED' ? 'NEW' : 'OLD';
}

function journalPath(parts: EngineParts, recordId: string): string {
  return join(parts.directories.journal, `${recordId}.json`);
}

function temporaryPath(parts: EngineParts, recordId: string): string {
  return join(parts.directories.journal, `.${recordId}.tmp`);
}
