/**
 * What a restore left beside the tables of a database that did not answer when it was to be removed: a note of it is
 * kept until the database could be asked, by recovery's later passes.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordRow, SourceRow } from '../catalog/catalog.ts';
import { systemErrorCode } from '../errors.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';
import { syncDirectory } from './sync-directory.ts';

/** Where to look again. */
interface Leftover {
  readonly recordId: string;
  readonly workspaceId: string;
  readonly sourceId: string;
}

/** Of the notes among the journals. */
const PREFIX = 'leftover-';

/** Removes what a restore that took no effect left in its database; false when that has to be tried again. */
export async function removeLeftovers(
  parts: EngineParts,
  row: RecordRow,
  source: SourceRow | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  if (source?.database == null) return true;
  try {
    await (await openDatabase(parts, source.database)).sweep(row.id, signal);
    return true;
  } catch (error) {
    parts.log.warn(
      { err: error, recordId: row.id },
      'what a restore left in its database could not be removed; it is tried again',
    );
    await remember(parts, row, source.id).catch((fault: unknown) => {
      parts.log.error(
        { err: fault, recordId: row.id },
        'nor could it be noted: it stays until it is dropped by hand',
      );
    });
    return false;
  }
}

async function remember(parts: EngineParts, row: RecordRow, sourceId: string): Promise<void> {
  const leftover: Leftover = { recordId: row.id, workspaceId: row.workspaceId, sourceId };
  const { journal } = parts.directories;
  await mkdir(journal, { recursive: true, mode: 0o700 });
  const temporary = join(journal, `.${PREFIX}${row.id}.tmp`);
  await writeFile(temporary, JSON.stringify(leftover), { mode: 0o600, flush: true });
  await rename(temporary, join(journal, `${PREFIX}${row.id}.json`));
  await syncDirectory(journal);
}

/** Tries again wherever something was left. What still cannot be done waits for the next pass. */
export async function retryLeftovers(parts: EngineParts, signal: AbortSignal): Promise<void> {
  const silent = new Set<string>();
  for (const name of await namesOf(parts)) {
    const file = join(parts.directories.journal, name);
    // Written by this file alone, in a directory that only this user can write.
    const leftover = JSON.parse(await readFile(file, 'utf8')) as Leftover;
    const { recordId, workspaceId, sourceId } = leftover;
    // A database that did not answer a moment ago is not waited for once more for each of its restores.
    if (silent.has(sourceId)) continue;
    try {
      const source = await parts.catalog.sources.find(workspaceId, sourceId);
      if (source?.database != null) {
        await (await openDatabase(parts, source.database)).sweep(recordId, signal);
      }
      await rm(file, { force: true });
      parts.log.info({ recordId }, 'what a restore had left in its database is removed');
    } catch (error) {
      silent.add(sourceId);
      parts.log.warn(
        { err: error, recordId },
        'what a restore left in its database could not be removed yet',
      );
    }
  }
}

async function namesOf(parts: EngineParts): Promise<readonly string[]> {
  try {
    return (await readdir(parts.directories.journal)).filter((name) => name.startsWith(PREFIX));
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
