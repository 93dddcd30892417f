/** Sets foreign keys aside while tables are replaced, and brings them back as they were, checked. */
import { DatabaseError } from 'pg';
import { HoldfastError } from '../../../errors.ts';
import type { TableName } from '../../source.ts';
import { quoteName, quoteTable, quoteText, tableLabel } from './quote.ts';
import type { PostgresSession } from './session.ts';

/** A foreign key and how to make it again. */
export interface SetAsideKey {
  readonly name: string;
  readonly table: TableName;
  readonly references: TableName;
  readonly definition: string;
  readonly comment: string | null;
  /** The table that holds it is not being restored: its rows must fit what comes. */
  readonly fromOutside: boolean;
}

interface KeyRow {
  name: string;
  schema: string;
  table: string;
  toSchema: string;
  toTable: string;
  definition: string;
  comment: string | null;
  fromOutside: boolean;
}

/**
 * Keys that point into the tables `$1`, whoever holds them: TRUNCATE refuses a table that a key from elsewhere
 * points to, cycles have no order, and checking a key once is far cheaper than checking it row by row. Keys from
 * the tables to others stay and check each row, unless they are NOT VALID: rows that were let pass must pass again.
 * A key that partitions inherited is set aside where it was declared.
 */
const OBSTRUCTING = `
WITH RECURSIVE hit(oid, parent) AS (
  SELECT c.oid, c.conparentid FROM pg_catalog.pg_constraint c
   WHERE c.contype = 'f'
     AND (c.confrelid = ANY($1::text[]::oid[]) OR (c.conrelid = ANY($1::text[]::oid[]) AND NOT c.convalidated))
  UNION
  SELECT p.oid, p.conparentid FROM hit h JOIN pg_catalog.pg_constraint p ON p.oid = h.parent
)
SELECT c.conname::text AS name, n.nspname::text AS schema, r.relname::text AS table,
       tn.nspname::text AS "toSchema", t.relname::text AS "toTable",
       pg_catalog.pg_get_constraintdef(c.oid) AS definition,
       pg_catalog.obj_description(c.oid, 'pg_constraint') AS comment,
       r.relkind = 'r' AND NOT c.conrelid = ANY($1::text[]::oid[]) AS "fromOutside"
  FROM hit h JOIN pg_catalog.pg_constraint c ON c.oid = h.oid
  JOIN pg_catalog.pg_class r ON r.oid = c.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace
  JOIN pg_catalog.pg_class t ON t.oid = c.confrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
 WHERE c.conparentid = 0
 ORDER BY c.oid`;

/** Finds the keys that have to be set aside for the tables with the given catalog ids. */
export async function obstructingKeys(
  session: PostgresSession,
  oids: readonly string[],
  signal: AbortSignal,
): Promise<SetAsideKey[]> {
  const rows = await session.query<KeyRow>(OBSTRUCTING, [oids], signal);
  return rows.map((row) => ({
    name: row.name,
    table: { schema: row.schema, name: row.table },
    references: { schema: row.toSchema, name: row.toTable },
    definition: row.definition,
    comment: row.comment,
    fromOutside: row.fromOutside,
  }));
}

/** Drops the keys, within the open transaction. */
export async function dropKeys(
  session: PostgresSession,
  keys: readonly SetAsideKey[],
  signal: AbortSignal,
): Promise<void> {
  for (const key of keys) {
    await session.execute(
      `ALTER TABLE ${quoteTable(key.table)} DROP CONSTRAINT ${quoteName(key.name)}`,
      signal,
    );
  }
}

/**
 * Makes the keys again; PostgreSQL checks every row (unless the key was NOT VALID).
 * @throws HoldfastError SCHEMA_MISMATCH naming table and key when a row points to nothing.
 */
export async function restoreKeys(
  session: PostgresSession,
  keys: readonly SetAsideKey[],
  signal: AbortSignal,
): Promise<void> {
  for (const key of keys) {
    const table = quoteTable(key.table);
    const name = quoteName(key.name);
    try {
      await session.execute(`ALTER TABLE ${table} ADD CONSTRAINT ${name} ${key.definition}`, signal);
    } catch (error) {
      throw error instanceof DatabaseError && error.code === '23503' ? dangling(key, error) : error;
    }
    if (key.comment !== null) {
      await session.execute(`COMMENT ON CONSTRAINT ${name} ON ${table} IS ${quoteText(key.comment)}`, signal);
    }
  }
}

function dangling(key: SetAsideKey, error: DatabaseError): HoldfastError {
  const from = tableLabel(key.table);
  const to = tableLabel(key.references);
  const row = error.detail === undefined ? '' : ` ${error.detail.slice(0, 200)}`;
  return key.fromOutside
    ? new HoldfastError(
        'SCHEMA_MISMATCH',
        `Rows of ${from}, which is not restored, would point to rows of ${to} that the bundle does not hold (foreign key "${key.name}").${row}`,
        { hint: `Restore ${from} as well, or remove these rows first.`, cause: error },
      )
    : new HoldfastError(
        'SCHEMA_MISMATCH',
        `Rows of ${from} point to rows of ${to} that are not there (foreign key "${key.name}").${row}`,
        { hint: 'Restore both tables together, or another backup.', cause: error },
      );
}
