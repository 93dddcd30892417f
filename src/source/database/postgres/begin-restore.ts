/** Opens the transaction of a restore: ends sessions if asked, locks, and checks that the tables are there. */
import { DatabaseError } from 'pg';
import { HoldfastError } from '../../../errors.ts';
import type { DatabaseRestoreRequest, TableName } from '../../source.ts';
import { readTables } from './describe.ts';
import { lockHolders } from './lock-holders.ts';
import { quoteTable, tableKey } from './quote.ts';
import { statementRefusal } from './refusal.ts';
import { PostgresRestore } from './restore.ts';
import { findGround, lockExclusively } from './restore-ground.ts';
import { SchemaApplication } from './schema/apply-schema.ts';
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
    await refuseReadOnly(session, signal);
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
    if (request.schema !== undefined) {
      const live = await readTables(session, signal);
      await lockExclusively(
        session,
        request.tables.filter((table) => live.has(tableKey(table))),
        signal,
      );
      const schema = await SchemaApplication.plan(session, request, signal);
      return new PostgresRestore(session, { request, tables: new Map(), keys: [] }, schema);
    }
    await lockExclusively(session, request.tables, signal);
    return new PostgresRestore(session, await findGround(session, request, signal, involved));
  } catch (error) {
    const told = await busyWithHolders(session, error, [...involved.values()], request, signal);
    await session.end();
    throw told;
  }
}

async function refuseReadOnly(session: PostgresSession, signal: AbortSignal): Promise<void> {
  const [found] = await session.query<{ standby: boolean; readOnly: boolean }>(
    `SELECT pg_catalog.pg_is_in_recovery() AS standby,
            pg_catalog.current_setting('default_transaction_read_only') = 'on' AS "readOnly"`,
    [],
    signal,
  );
  if (found?.standby !== true) {
    if (found?.readOnly !== true) return;
    // It could be overruled, but somebody set it to keep this database from being changed.
    throw new HoldfastError(
      'INVALID_INPUT',
      'This PostgreSQL database or user is set to read only (default_transaction_read_only).',
      { hint: 'Reset the setting if the database is to be changed, or restore into another one.' },
    );
  }
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
