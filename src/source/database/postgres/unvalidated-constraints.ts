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

/**
 * Those of the tables `$1`, parents before children: a constraint goes where it was declared, and takes along what
 * children have of it. Left alone are such as some child has validated, which would be lost.
 */
const UNVALIDATED = `
WITH RECURSIVE up(name, kind, oid) AS (
  SELECT c.conname, c.contype, c.conrelid FROM pg_catalog.pg_constraint c
   WHERE c.contype IN ('c', 'n') AND NOT c.convalidated AND c.conrelid = ANY($1::text[]::oid[])
  UNION
  SELECT u.name, u.kind, p.conrelid FROM up u JOIN pg_catalog.pg_inherits i ON i.inhrelid = u.oid
    JOIN pg_catalog.pg_constraint p ON p.conrelid = i.inhparent AND p.conname = u.name AND p.contype = u.kind
), family(name, kind, oid, depth) AS (
  SELECT u.name, u.kind, u.oid, 0 FROM up u
  UNION
  SELECT f.name, f.kind, c.conrelid, f.depth + 1 FROM family f JOIN pg_catalog.pg_inherits i ON i.inhparent = f.oid
    JOIN pg_catalog.pg_constraint c ON c.conrelid = i.inhrelid AND c.conname = f.name AND c.contype = f.kind
), validated AS (
  SELECT f.name, f.kind FROM family f JOIN pg_catalog.pg_constraint c
      ON c.conrelid = f.oid AND c.conname = f.name AND c.contype = f.kind WHERE c.convalidated
)
SELECT n.nspname::text AS schema, t.relname::text AS table, c.conname::text AS name,
       pg_catalog.pg_get_constraintdef(c.oid) AS definition,
       pg_catalog.obj_description(c.oid, 'pg_constraint') AS comment
  FROM (SELECT name, kind, oid, pg_catalog.max(depth) AS depth FROM family GROUP BY name, kind, oid) AS f
  JOIN pg_catalog.pg_constraint c ON c.conrelid = f.oid AND c.conname = f.name AND c.contype = f.kind
  JOIN pg_catalog.pg_class t ON t.oid = c.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
 WHERE c.conislocal AND NOT c.convalidated
   AND NOT EXISTS (SELECT FROM validated v WHERE v.name = f.name AND v.kind = f.kind)
 ORDER BY f.depth, c.oid`;

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
  // Children first: the parent's joins what a child has declared as well.
  for (const { table, name, definition, comment } of [...constraints].reverse()) {
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
