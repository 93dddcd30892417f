/** Opens the transaction of a restore: ends sessions if asked, locks, and checks that the tables are there. */
import { DatabaseError } from 'pg';
import { HoldfastError } from '../../../errors.ts';
import type { DatabaseRestoreRequest, TableName } from '../../source.ts';
import { type LiveTables, readTables } from './describe.ts';
import { obstructingKeys, type SetAsideKey } from './foreign-keys.ts';
import { type LiveTable, onlyList } from './live-table.ts';
import { lockHolders } from './lock-holders.ts';
import { quoteTable, tableKey, tableLabel } from './quote.ts';
import { statementRefusal } from './refusal.ts';
import { PostgresRestore } from './restore.ts';
import type { PostgresSession } from './session.ts';

const POLL_MS = 20;

/** Takes over `session`, and ends it when the restore cannot begin. */
export async function beginRestore(
  session: PostgresSession,
  request: DatabaseRestoreRequest,
  signal: AbortSignal,
): Promise<PostgresRestore> {
  const involved = new Map<string, TableName>(request.tables.map((table) => [tableKey(table), table]));
  try {
    await refuseStandby(session, signal);
    if (request.endSessions) await endOtherSessions(session, request.lockTimeoutMs, signal);
    await session.execute('BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE', signal);
    await session.query(
      `SELECT pg_catalog.set_config('lock_timeout', $1, true)`,
      [String(Math.max(1, Math.round(request.lockTimeoutMs)))],
      signal,
    );
    // A COMMIT that was answered must survive a crash of the server: files are swapped on the strength of it.
    await session.query(
      `SELECT pg_catalog.set_config('synchronous_commit', 'on', true)
        WHERE pg_catalog.current_setting('synchronous_commit') = 'off'`,
      [],
      signal,
    );
    await lockExclusively(session, request.tables, signal);
    const tables = requested(await readTables(session, signal), request);
    const oids = [...tables.values()].map((live) => live.oid);
    const keys = await obstructingKeys(session, oids, signal);
    const others = keysOutside(keys, involved);
    for (const table of others) involved.set(tableKey(table), table);
    await lockExclusively(session, others, signal);
    return new PostgresRestore(session, { request, tables, keys });
  } catch (error) {
    const told = await busyWithHolders(session, error, [...involved.values()], request, signal);
    await session.end();
    throw told;
  }
}

async function refuseStandby(session: PostgresSession, signal: AbortSignal): Promise<void> {
  const rows = await session.query<{ standby: boolean }>(
    'SELECT pg_catalog.pg_is_in_recovery() AS standby',
    [],
    signal,
  );
  if (rows[0]?.standby !== true) return;
  throw new HoldfastError('INVALID_INPUT', 'This PostgreSQL server is a standby and only allows reading.', {
    hint: 'Restore into the primary server.',
  });
}

/** Ends the other sessions of this database that this user may end, and waits until they are gone. */
async function endOtherSessions(
  session: PostgresSession,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const ended = await session.query<{ pid: number }>(
    `SELECT a.pid, pg_catalog.pg_terminate_backend(a.pid)
       FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid
      WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
        AND a.backend_type = 'client backend'
        AND ((SELECT me.rolsuper FROM pg_catalog.pg_roles me WHERE me.rolname = current_user)
             OR (NOT r.rolsuper AND (pg_catalog.pg_has_role(a.usesysid, 'USAGE')
                                     OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))))`,
    [],
    signal,
  );
  const deadline = Date.now() + Math.max(timeoutMs, 1_000);
  while (Date.now() < deadline) {
    const left = await session.query(
      'SELECT FROM pg_catalog.pg_stat_activity WHERE pid = ANY($1::int4[])',
      [ended.map((row) => row.pid)],
      signal,
    );
    if (left.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function lockExclusively(
  session: PostgresSession,
  tables: readonly TableName[],
  signal: AbortSignal,
): Promise<void> {
  if (tables.length === 0) return;
  await session.execute(`LOCK TABLE ${onlyList(tables)} IN ACCESS EXCLUSIVE MODE`, signal);
}

/** The live tables of the request. */
function requested(live: LiveTables, request: DatabaseRestoreRequest): Map<string, LiveTable> {
  const tables = new Map<string, LiveTable>();
  for (const table of request.tables) {
    const key = tableKey(table);
    const found = live.get(key);
    if (found === undefined) {
      throw new HoldfastError(
        'SCHEMA_MISMATCH',
        `${tableLabel(table)} is not an ordinary table of the database.`,
        {
          hint: 'Bring the database to the structure of the backup first, or leave this table out.',
        },
      );
    }
    const writable = new Set(
      found.columns.filter((column) => !column.generated).map((column) => column.name),
    );
    const missing = table.columns.filter((column) => !writable.has(column));
    if (missing.length > 0) {
      throw new HoldfastError(
        'SCHEMA_MISMATCH',
        `Table ${tableLabel(table)} of the database has no column ${missing.map((name) => `"${name}"`).join(', ')} to write to.`,
        { hint: 'Bring the database to the structure of the backup first, or leave this table out.' },
      );
    }
    tables.set(key, found);
  }
  return tables;
}

/** Tables at either end of the keys that are not locked yet. */
function keysOutside(keys: readonly SetAsideKey[], locked: ReadonlyMap<string, TableName>): TableName[] {
  const others = new Map<string, TableName>();
  for (const table of keys.flatMap((key) => [key.table, key.references])) {
    if (!locked.has(tableKey(table))) others.set(tableKey(table), table);
  }
  return [...others.values()];
}

/** The error to tell; for locks that were not to be had, with whoever holds them. */
async function busyWithHolders(
  session: PostgresSession,
  error: unknown,
  tables: readonly TableName[],
  request: DatabaseRestoreRequest,
  signal: AbortSignal,
): Promise<unknown> {
  if (!(error instanceof DatabaseError) || error.code !== '55P03') {
    return statementRefusal(error, { restoring: true });
  }
  try {
    await session.execute('ROLLBACK', signal);
    const holders = await lockHolders(session, tables.map(quoteTable), 'ANY', signal);
    return new HoldfastError('SOURCE_BUSY', `The application keeps tables locked: ${holders}.`, {
      hint: request.endSessions
        ? 'The user of the source may not end these sessions; stop the application and try again.'
        : 'Stop the application, or let the restore end its sessions (endSessions).',
      cause: error,
    });
  } catch {
    return statementRefusal(error);
  }
}
