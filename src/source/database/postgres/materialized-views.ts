/** Refreshes the materialized views that are made of restored tables. */
import { quoteTable } from './quote.ts';
import type { PostgresSession } from './session.ts';

/**
 * Populated materialized views that read, through views or each other, one of the tables `$1` (or a table those
 * inherit to), and may be refreshed by this user; those that others are made of first.
 */
const DEPENDENT = `
WITH RECURSIVE reads(oid, depth) AS (
  SELECT t::oid, 0 FROM pg_catalog.unnest($1::text[]) AS t
  UNION
  SELECT next.oid, r.depth + next.step FROM reads r, LATERAL (
    SELECT i.inhparent AS oid, 0 AS step FROM pg_catalog.pg_inherits i WHERE i.inhrelid = r.oid
    UNION ALL
    SELECT w.ev_class, 1 FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_rewrite w ON w.oid = d.objid
      JOIN pg_catalog.pg_class v ON v.oid = w.ev_class AND v.relkind IN ('v', 'm')
     WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
       AND d.refobjid = r.oid AND w.ev_class <> r.oid
  ) AS next WHERE r.depth < 100
)
SELECT n.nspname::text AS schema, c.relname::text AS name
  FROM (SELECT oid, pg_catalog.max(depth) AS depth FROM reads GROUP BY oid) AS r
  JOIN pg_catalog.pg_class c ON c.oid = r.oid AND c.relkind = 'm' AND c.relispopulated
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE pg_catalog.pg_has_role(c.relowner, 'USAGE')
 ORDER BY r.depth, c.oid`;

/** Refreshes them within the open transaction. */
export async function refreshMaterializedViews(
  session: PostgresSession,
  oids: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const views = await session.query<{ schema: string; name: string }>(DEPENDENT, [oids], signal);
  for (const view of views) await session.execute(`REFRESH MATERIALIZED VIEW ${quoteTable(view)}`, signal);
}
