/** The tables a restore works on: found, locked, and with the foreign keys that stand in the way. */
import { HoldfastError } from '../../../errors.ts';
import type { DatabaseRestoreRequest, TableName } from '../../source.ts';
import { type LiveTables, readTables } from './describe.ts';
import { obstructingKeys, type SetAsideKey } from './foreign-keys.ts';
import { holdsLargeObjects } from './large-objects.ts';
import { type LiveTable, onlyList } from './live-table.ts';
import { tableKey, tableLabel } from './quote.ts';
import type { PostgresSession } from './session.ts';

/** The locked tables and the keys that stand in the way. */
export interface RestoreGround {
  readonly request: DatabaseRestoreRequest;
  readonly tables: ReadonlyMap<string, LiveTable>;
  readonly keys: readonly SetAsideKey[];
}

/**
 * Looks at the tables of the request, and locks those at the other end of their keys. `involved` is told of these.
 * @throws HoldfastError SCHEMA_MISMATCH when a table or column is not there.
 */
export async function findGround(
  session: PostgresSession,
  request: DatabaseRestoreRequest,
  signal: AbortSignal,
  involved: Map<string, TableName> = new Map(request.tables.map((table) => [tableKey(table), table])),
): Promise<RestoreGround> {
  const tables = requested(await readTables(session, signal), request);
  const oids = [...tables.values()].map((live) => live.oid);
  const keys = await obstructingKeys(session, oids, signal);
  const others = keysOutside(keys, involved);
  for (const table of others) involved.set(tableKey(table), table);
  await lockExclusively(session, others, signal);
  return { request, tables, keys };
}

/** Waits for the tables as long as `lock_timeout` says, and keeps everybody else out of them. */
export async function lockExclusively(
  session: PostgresSession,
  tables: readonly TableName[],
  signal: AbortSignal,
): Promise<void> {
  const lockable = tables.filter((table) => !holdsLargeObjects(table));
  if (lockable.length === 0) return;
  await session.execute(`LOCK TABLE ${onlyList(lockable)} IN ACCESS EXCLUSIVE MODE`, signal);
}

/** The live tables of the request. */
function requested(live: LiveTables, request: DatabaseRestoreRequest): Map<string, LiveTable> {
  const tables = new Map<string, LiveTable>();
  for (const table of request.tables) {
    if (holdsLargeObjects(table)) continue;
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
