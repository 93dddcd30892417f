/**
 * Sets checks aside that were never validated (NOT VALID): rows that were let pass must pass again. They come back
 * as they were, not validated. Foreign keys of that kind are among those of foreign-keys.ts.
 */
import type { TableName } from '../../source.ts';
import { quoteName, quoteTable, quoteText } from './quote.ts';
import type { PostgresSession } from './session.ts';

/** A check or (from version 18 on) NOT NULL constraint. */
export interface UnvalidatedConstraint {
  readonly table: TableName;
  readonly name: string;
  readonly definition: string;
  readonly comment: string | null;
}

/** Those of the tables `$1` that neither came from a parent nor went to a child, where they would have to stay. */
const UNVALIDATED = `
SELECT n.nspname::text AS schema, t.relname::text AS table, c.conname::text AS name,
       pg_catalog.pg_get_constraintdef(c.oid) AS definition,
       pg_catalog.obj_description(c.oid, 'pg_constraint') AS comment
  FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_class t ON t.oid = c.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE c.contype IN ('c', 'n') AND NOT c.convalidated AND c.conrelid = ANY($1::text[]::oid[])
   AND c.coninhcount = 0 AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.conrelid)
 ORDER BY c.oid`;

/** Drops them, within the open transaction, and returns what {@link restoreUnvalidated} needs. */
export async function dropUnvalidated(
  session: PostgresSession,
  oids: readonly string[],
  signal: AbortSignal,
): Promise<UnvalidatedConstraint[]> {
  type Row = Omit<UnvalidatedConstraint, 'table'> & { schema: string; table: string };
  const rows = await session.query<Row>(UNVALIDATED, [oids], signal);
  const found = rows.map(({ schema, table, ...rest }) => ({ ...rest, table: { schema, name: table } }));
  for (const { table, name } of found) {
    await session.execute(`ALTER TABLE ${quoteTable(table)} DROP CONSTRAINT ${quoteName(name)}`, signal);
  }
  return found;
}

/** Makes them again, without a look at the rows. */
export async function restoreUnvalidated(
  session: PostgresSession,
  constraints: readonly UnvalidatedConstraint[],
  signal: AbortSignal,
): Promise<void> {
  for (const { table, name, definition, comment } of constraints) {
    await session.execute(
      `ALTER TABLE ${quoteTable(table)} ADD CONSTRAINT ${quoteName(name)} ${definition}`,
      signal,
    );
    if (comment !== null) {
      await session.execute(
        `COMMENT ON CONSTRAINT ${quoteName(name)} ON ${quoteTable(table)} IS ${quoteText(comment)}`,
        signal,
      );
    }
  }
}
