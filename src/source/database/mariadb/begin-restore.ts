/** Begins a restore: finds out what is to be replaced and locks it against the application. */
import { HoldfastError } from '../../../errors.ts';
import type { DatabaseRestoreRequest } from '../../source.ts';
import { type Found, readDescription } from './describe.ts';
import { holdName } from './journal.ts';
import { describeHolders, otherSessions } from './lock-holders.ts';
import { quoteName, quoteText, RestoreNames, tableKey, tableLabel } from './names.ts';
import { readSchema, readTriggers } from './read-schema.ts';
import { serverErrorNumber, statementRefusal } from './refusal.ts';
import { MariadbRestore } from './restore.ts';
import { type PlannedTable, planTables } from './restore-tables.ts';
import type { MariadbSession } from './session.ts';
import { refuseInTheWay } from './standing-objects.ts';

const NEVER = new AbortController().signal;

/** Takes over both sessions, and ends them when the restore cannot begin. */
export async function beginRestore(
  worker: MariadbSession,
  locker: MariadbSession,
  request: DatabaseRestoreRequest,
  signal: AbortSignal,
): Promise<MariadbRestore> {
  const names = new RestoreNames(request.restoreId, worker.database);
  try {
    await holdName(worker, names, 'worker', signal);
    await holdName(locker, names, 'locker', signal);
    const found = await readDescription(worker, signal);
    if (request.schema === undefined) checkColumns(request, found);
    if (request.schema?.mode === 'CREATE' && !found.description.empty) {
      throw new HoldfastError('SCHEMA_MISMATCH', `Database ${worker.database} is not empty.`, {
        hint: 'Restore into an empty database, or let the restore replace what is there.',
      });
    }
    if (request.endSessions) await endOthers(worker, [worker.id, locker.id], signal);
    const live = await readSchema(worker, signal);
    const requested = new Set(request.tables.map((table) => table.name));
    const triggers = await readTriggers(worker, requested, signal);
    const tables = planTables(request, live, triggers);
    if (request.schema !== undefined) {
      const replaced = new Set(tables.planned.map((table) => table.name));
      await refuseInTheWay(worker, request.schema.script, replaced, signal);
    }
    await refuseKeysFromElsewhere(worker, tables.planned, signal);
    const locking = tables.planned.filter((table) => table.exists).map((table) => table.name);
    await lockTables(worker, locker, locking, signal);
    return new MariadbRestore(worker, locker, { request, names, tables, sequences: found.sequences });
  } catch (error) {
    await locker.end();
    await worker.end();
    throw statementRefusal(error, { restoring: true });
  }
}

/** A key of another database follows the old table when that is renamed, and could not be brought back. */
async function refuseKeysFromElsewhere(
  session: MariadbSession,
  planned: readonly PlannedTable[],
  signal: AbortSignal,
): Promise<void> {
  const database = quoteText(session.database);
  const rows = await session.query(
    `SELECT TABLE_SCHEMA, TABLE_NAME, REFERENCED_TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE
      WHERE REFERENCED_TABLE_SCHEMA = ${database} AND TABLE_SCHEMA <> ${database}`,
    signal,
  );
  const found = rows.find(([, , parent]) => planned.some(({ name }) => name === parent));
  if (found === undefined) return;
  throw new HoldfastError(
    'SCHEMA_MISMATCH',
    `Table ${found[2]} cannot be replaced: a foreign key of table ${found[1]} in database ${found[0]} points to it.`,
    { hint: 'Drop that foreign key for the time of the restore.' },
  );
}

/** WRITE locks: whoever wants to read or write waits, and cannot slip past the swap. */
async function lockTables(
  worker: MariadbSession,
  locker: MariadbSession,
  names: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  if (names.length === 0) return;
  try {
    await locker.execute(`LOCK TABLES ${names.map((name) => `${quoteName(name)} WRITE`).join(', ')}`, signal);
  } catch (error) {
    if (serverErrorNumber(error) !== 1205) throw error;
    const holders = await describeHolders(worker, [worker.id, locker.id], NEVER);
    throw new HoldfastError('SOURCE_BUSY', `Other sessions keep tables of the restore in use: ${holders}.`, {
      hint: 'Try again when the application is quiet, or let the restore end its sessions (endSessions).',
      cause: error,
    });
  }
}

async function endOthers(
  session: MariadbSession,
  own: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const { id } of await otherSessions(session, signal)) {
    if (!own.includes(id)) await session.terminate(id, signal);
  }
}

function checkColumns(request: DatabaseRestoreRequest, found: Found): void {
  for (const table of request.tables) {
    const live = found.tables.get(tableKey(table));
    if (live === undefined) {
      throw new HoldfastError('SCHEMA_MISMATCH', `Table ${tableLabel(table)} is not in the database.`, {
        hint: 'Bring the structure of the database to that of the backup first, or leave the table out.',
      });
    }
    const present = new Set(live.columns.filter((column) => !column.generated).map((column) => column.name));
    const lacking = table.columns.find((column) => !present.has(column));
    if (lacking !== undefined) {
      throw new HoldfastError(
        'SCHEMA_MISMATCH',
        `Table ${tableLabel(table)} has no column ${lacking} to fill.`,
        {
          hint: 'Bring the structure of the database to that of the backup first.',
        },
      );
    }
  }
}
