/** Reads the structure of a database from information_schema. */

import type { LeftOut } from '../../left-out.ts';
import type { Column, DatabaseDescription, ForeignKey, Table } from '../../source.ts';
import { appliedMigrations } from './applied-migrations.ts';
import type { LiveColumn } from './column-values.ts';
import { isOwnName, quoteName, quoteText, tableKey } from './names.ts';
import { serverErrorNumber } from './refusal.ts';
import type { MariadbSession } from './session.ts';

/** Tables are counted while the small ones are not more than so many bytes together; others are estimated. */
const COUNTED_BYTES = 32 * 1024 * 1024;
const COUNTED_TABLE_BYTES = 1024 * 1024;

/** A table with what exporting its rows takes. */
export interface LiveTable {
  readonly table: Table;
  readonly columns: readonly LiveColumn[];
  /** The next value of its counter; null where it has none. */
  readonly counter: string | null | undefined;
}

/** The ordinary tables, by {@link tableKey}. */
export type LiveTables = ReadonlyMap<string, LiveTable>;

/** Everything that was found. */
export interface Found {
  readonly description: DatabaseDescription;
  readonly tables: LiveTables;
  /** Sequence objects (MariaDB). */
  readonly sequences: readonly string[];
}

/** Engines whose rows a consistent snapshot shows as of its beginning. */
const TRANSACTIONAL = new Set(['innodb', 'rocksdb', 'tokudb', 'ndbcluster']);
/** Engines that keep rows which are not this server's, or none at all. */
const FOREIGN = new Set([
  'federated',
  'connect',
  'spider',
  'blackhole',
  'sphinx',
  'mroonga',
  's3',
  'oqgraph',
]);

/** Names of the tables that hold rows here. */
export async function tableNames(session: MariadbSession, signal: AbortSignal): Promise<readonly string[]> {
  const rows = await session.query(
    `SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES
      WHERE TABLE_SCHEMA = ${quoteText(session.database)} AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')`,
    signal,
  );
  return rows
    .filter(([name, engine]) => !isOwnName(name ?? '') && !FOREIGN.has((engine ?? '').toLowerCase()))
    .map(([name]) => name ?? '');
}

/** Reads everything a {@link DatabaseDescription} tells. */
export async function readDescription(session: MariadbSession, signal: AbortSignal): Promise<Found> {
  const schema = quoteText(session.database);
  const rows = await session.query(
    `SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, DATA_LENGTH, AUTO_INCREMENT
       FROM information_schema.TABLES WHERE TABLE_SCHEMA = ${schema} ORDER BY TABLE_NAME`,
    signal,
  );
  const columns = await readColumns(session, signal);
  const primaryKeys = await readPrimaryKeys(session, schema, signal);
  const foreignKeys = await readForeignKeys(session, schema, signal);
  const tables = new Map<string, LiveTable>();
  const sequences: string[] = [];
  const leftOut: LeftOut[] = [];
  let counted = 0;
  for (const [name, type, engine, estimate, bytes, counter] of rows) {
    if (typeof name !== 'string' || isOwnName(name)) continue;
    if (type === 'SEQUENCE') {
      sequences.push(name);
      continue;
    }
    const reason = whyLeftOut(type, engine);
    if (reason !== undefined) {
      leftOut.push({ name, reason });
      continue;
    }
    leftOut.push(...remarks(name, type, engine));
    const live = columns.get(name) ?? [];
    const unreadable = await whyUnreadable(session, name, live, signal);
    const size = Number(bytes);
    const countable =
      unreadable === undefined && size <= COUNTED_TABLE_BYTES && counted + size <= COUNTED_BYTES;
    if (countable) counted += size;
    const table: Table = {
      schema: null,
      name,
      columns: live.map(asColumn),
      primaryKey: primaryKeys.get(name) ?? [],
      foreignKeys: foreignKeys.get(name) ?? [],
      rowEstimate: countable ? await countRows(session, name, signal) : Number(estimate),
      ...(unreadable === undefined ? {} : { unreadable }),
    };
    tables.set(tableKey(table), { table, columns: live, counter });
  }
  const others = rows.filter(([name]) => !isOwnName(name ?? '')).length;
  return {
    tables,
    sequences,
    description: {
      kind: 'MARIADB',
      serverVersion: `${session.serverVersion}-${session.isMariadb ? 'MariaDB' : 'MySQL'}`,
      databaseName: session.database,
      tables: [...tables.values()].map((live) => live.table),
      leftOut,
      appliedMigrations: await appliedMigrations(session, tables, signal),
      empty: others === 0 && (await countRoutines(session, schema, signal)) === 0,
    },
  };
}

async function countRoutines(session: MariadbSession, schema: string, signal: AbortSignal): Promise<number> {
  const [row] = await session.query(
    `SELECT (SELECT COUNT(*) FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = ${schema}) +
            (SELECT COUNT(*) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = ${schema})`,
    signal,
  );
  return Number(row?.[0]);
}

function asColumn({ name, type, nullable, hasDefault, generated }: LiveColumn): Column {
  return { name, type, nullable, hasDefault, generated };
}

/** Why a table's rows are not carried at all; undefined when they are. */
function whyLeftOut(type: string | null | undefined, engine: string | null | undefined): string | undefined {
  if (type === 'VIEW') return 'It is a view and holds no rows of its own.';
  if (type !== 'BASE TABLE' && type !== 'SYSTEM VERSIONED') return `It is no ordinary table (${type}).`;
  if (engine === null || engine === undefined) return 'The server cannot open it; CHECK TABLE tells why.';
  return FOREIGN.has(engine.toLowerCase()) ? `Its rows are not kept by this server (${engine}).` : undefined;
}

/** What is not as one would expect of a table whose rows are carried. */
function remarks(
  name: string,
  type: string | null | undefined,
  engine: string | null | undefined,
): LeftOut[] {
  const found: LeftOut[] = [];
  if (!TRANSACTIONAL.has((engine ?? '').toLowerCase())) {
    found.push({
      name: `${name} (consistency)`,
      reason: `Its engine ${engine} knows no snapshots: its rows are read when its turn comes, not as of the moment of the others.`,
    });
  }
  if (type === 'SYSTEM VERSIONED') {
    found.push({
      name: `${name} (history)`,
      reason: 'It is system-versioned: its present rows are carried, the history of former ones is not.',
    });
  }
  return found;
}

/** The exact number of rows. */
export async function countRows(session: MariadbSession, name: string, signal: AbortSignal): Promise<number> {
  const [row] = await session.query(`SELECT COUNT(*) FROM ${quoteName(name)}`, signal);
  return Number(row?.[0] ?? 0);
}

/** The columns whose values are carried: all but generated ones. */
export function carriedColumns(live: LiveTable): readonly LiveColumn[] {
  return live.columns.filter((column) => !column.generated);
}

async function whyUnreadable(
  session: MariadbSession,
  name: string,
  columns: readonly LiveColumn[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const carried = columns.filter((column) => !column.generated).map((column) => quoteName(column.name));
  try {
    await session.query(`SELECT ${carried.join(', ') || '1'} FROM ${quoteName(name)} LIMIT 0`, signal);
    return undefined;
  } catch (error) {
    const number = serverErrorNumber(error);
    if (number === 1142 || number === 1143) return `The user lacks SELECT on ${name} or on a column of it.`;
    throw error;
  }
}

/** The columns of every table, also of those that a restore made, by the table's name. */
export async function readColumns(
  session: MariadbSession,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly LiveColumn[]>> {
  const schema = quoteText(session.database);
  const rows = await session.query(
    `SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE, COLUMN_DEFAULT, EXTRA,
            GENERATION_EXPRESSION, CHARACTER_SET_NAME
       FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ${schema} ORDER BY TABLE_NAME, ORDINAL_POSITION`,
    signal,
  );
  const columns = new Map<string, LiveColumn[]>();
  for (const [table, name, type, baseType, nullable, fallback, extra, expression, charset] of rows) {
    const counting = /auto_increment/i.test(extra ?? '');
    append(columns, table ?? '', {
      name: name ?? '',
      type: type ?? '',
      baseType: (baseType ?? '').toLowerCase(),
      nullable: nullable === 'YES',
      hasDefault: counting || (fallback !== null && fallback !== undefined && fallback !== 'NULL'),
      generated: (expression ?? '') !== '',
      charset: charset ?? null,
      counting,
    });
  }
  return columns;
}

async function readPrimaryKeys(
  session: MariadbSession,
  schema: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string[]>> {
  const rows = await session.query(
    `SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS
      WHERE TABLE_SCHEMA = ${schema} AND INDEX_NAME = 'PRIMARY' ORDER BY TABLE_NAME, SEQ_IN_INDEX`,
    signal,
  );
  const keys = new Map<string, string[]>();
  for (const [table, column] of rows) append(keys, table ?? '', column ?? '');
  return keys;
}

async function readForeignKeys(
  session: MariadbSession,
  schema: string,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, ForeignKey[]>> {
  const rows = await session.query(
    `SELECT TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME,
            REFERENCED_COLUMN_NAME
       FROM information_schema.KEY_COLUMN_USAGE
      WHERE TABLE_SCHEMA = ${schema} AND REFERENCED_TABLE_NAME IS NOT NULL
      ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION`,
    signal,
  );
  const byKey = new Map<
    string,
    { table: string; key: ForeignKey & { columns: string[]; referencedColumns: string[] } }
  >();
  for (const [table = '', name = '', column, inSchema, parent, parentColumn] of rows) {
    const id = JSON.stringify([table, name]);
    const found = byKey.get(id) ?? {
      table: table ?? '',
      key: {
        name: name ?? '',
        columns: [],
        references: { schema: inSchema === session.database ? null : (inSchema ?? null), name: parent ?? '' },
        referencedColumns: [],
        // A restore fills tables that have no foreign keys yet.
        deferrable: true,
      },
    };
    found.key.columns.push(column ?? '');
    found.key.referencedColumns.push(parentColumn ?? '');
    byKey.set(id, found);
  }
  const keys = new Map<string, ForeignKey[]>();
  for (const { table, key } of byKey.values()) append(keys, table, key);
  return keys;
}

function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
