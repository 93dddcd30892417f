/**
 * Drops indexes of a table before its rows come and makes them again behind the rows, which is several times
 * faster than keeping them up row by row. Only where the index comes back exactly as it was; the others stay.
 */
import type { TableName } from '../../source.ts';
import { quoteName, quoteTable, quoteText } from './quote.ts';
import type { PostgresSession } from './session.ts';

/** What the server may use to sort for one index or to check one key, unless it is configured for more. */
const SORTING_MEMORY = '256MB';

/** An index, or the constraint that owns it, and all that hangs on it. */
export interface SetAsideIndex {
  readonly table: TableName;
  readonly name: string;
  /** A primary key, unique or exclusion constraint; its definition is that of the constraint. */
  readonly ofConstraint: boolean;
  readonly definition: string;
  readonly comment: string | null;
  readonly constraintComment: string | null;
  readonly replicaIdentity: boolean;
  readonly clustered: boolean;
  /** Statistics targets by number of column. */
  readonly statistics: Readonly<Record<string, number>>;
}

/**
 * Indexes of the tables `$1` that can be made again exactly. Left alone are: those of partitioned indexes, with a
 * tablespace of their own or (constraints) storage parameters, which their definition does not tell; that something
 * else depends on, such as a view grouped by a primary key; that call functions of users, which CREATE INDEX may
 * run under another search path than INSERT did; that belong to extensions; of tables that this user does not own,
 * though it may replace their rows, or in schemas where it may create nothing. With event triggers about, the less DDL the better.
 */
const REBUILDABLE = `
SELECT i.indrelid::text AS oid, n.nspname::text AS schema, t.relname::text AS table, c.relname::text AS name,
       k.oid IS NOT NULL AS "ofConstraint",
       coalesce(pg_catalog.pg_get_constraintdef(k.oid), pg_catalog.pg_get_indexdef(c.oid)) AS definition,
       pg_catalog.obj_description(c.oid, 'pg_class') AS comment,
       pg_catalog.obj_description(k.oid, 'pg_constraint') AS "constraintComment",
       i.indisreplident AS "replicaIdentity", i.indisclustered AS clustered,
       coalesce((SELECT pg_catalog.json_object_agg(a.attnum, a.attstattarget) FROM pg_catalog.pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attstattarget >= 0), '{}') AS statistics
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  LEFT JOIN pg_catalog.pg_constraint k ON k.conindid = c.oid AND k.conrelid = t.oid AND k.contype IN ('p', 'u', 'x')
 WHERE i.indrelid = ANY($1::text[]::oid[]) AND t.relkind = 'r'
   AND i.indisvalid AND i.indisready AND i.indislive AND NOT c.relispartition AND c.reltablespace = 0
   AND (k.oid IS NULL OR c.reloptions IS NULL)
   AND pg_catalog.pg_has_role(t.relowner, 'USAGE') AND pg_catalog.has_schema_privilege(n.oid, 'CREATE')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
         WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
           AND (d.refclassid = 'pg_catalog.pg_proc'::regclass OR d.deptype IN ('e', 'x')))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
         WHERE (d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = c.oid)
            OR (d.refclassid = 'pg_catalog.pg_constraint'::regclass AND d.refobjid = k.oid
                AND d.objid <> c.oid AND d.classid <> 'pg_catalog.pg_trigger'::regclass))
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_event_trigger e
         WHERE e.evtenabled <> 'D' AND pg_catalog.current_setting('event_triggers', true) IS DISTINCT FROM 'off')
 ORDER BY c.oid`;

/** Finds, by catalog id of the table, the indexes that can be set aside. Call it once foreign keys are dropped. */
export async function rebuildableIndexes(
  session: PostgresSession,
  oids: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, readonly SetAsideIndex[]>> {
  type Row = Omit<SetAsideIndex, 'table'> & { oid: string; schema: string; table: string };
  const rows = await session.query<Row>(REBUILDABLE, [oids], signal);
  const found = new Map<string, SetAsideIndex[]>();
  for (const { oid, schema, table, ...index } of rows) {
    const entry = { ...index, table: { schema, name: table } };
    const others = found.get(oid);
    if (others === undefined) found.set(oid, [entry]);
    else others.push(entry);
  }
  return found;
}

/** Drops them, within the open transaction. */
export async function dropIndexes(
  session: PostgresSession,
  indexes: readonly SetAsideIndex[],
  signal: AbortSignal,
): Promise<void> {
  for (const index of indexes) {
    await session.execute(
      index.ofConstraint
        ? `ALTER TABLE ONLY ${quoteTable(index.table)} DROP CONSTRAINT ${quoteName(index.name)}`
        : `DROP INDEX ${qualified(index)}`,
      signal,
    );
  }
}

/** Lets the open transaction use more memory for indexes and for the check of foreign keys than most servers allow. */
export async function allowSortingMemory(session: PostgresSession, signal: AbortSignal): Promise<void> {
  await session.query(
    `SELECT pg_catalog.set_config('maintenance_work_mem', $1, true)
      WHERE pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) < pg_catalog.pg_size_bytes($1)`,
    [SORTING_MEMORY],
    signal,
  );
}

/**
 * Makes them again, in the order of their ids, which is the order in which the planner meets them.
 * A key that stands twice is told by PostgreSQL here, with its value, instead of with its row.
 */
export async function restoreIndexes(
  session: PostgresSession,
  indexes: readonly SetAsideIndex[],
  signal: AbortSignal,
): Promise<void> {
  if (indexes.length === 0) return;
  await session.query(
    // Without the tablespace that the role or the database prefers for what is new.
    `SELECT pg_catalog.set_config('default_tablespace', '', true), pg_catalog.set_config('search_path', '', true)`,
    [],
    signal,
  );
  for (const index of indexes) {
    for (const statement of statementsOf(index)) await session.execute(statement, signal);
  }
}

function statementsOf(index: SetAsideIndex): string[] {
  const table = quoteTable(index.table);
  const name = quoteName(index.name);
  const statements = [
    index.ofConstraint
      ? `ALTER TABLE ONLY ${table} ADD CONSTRAINT ${name} ${index.definition}`
      : index.definition,
  ];
  for (const [column, target] of Object.entries(index.statistics)) {
    statements.push(`ALTER INDEX ${qualified(index)} ALTER COLUMN ${column} SET STATISTICS ${target}`);
  }
  if (index.comment !== null) {
    statements.push(`COMMENT ON INDEX ${qualified(index)} IS ${quoteText(index.comment)}`);
  }
  if (index.constraintComment !== null) {
    statements.push(`COMMENT ON CONSTRAINT ${name} ON ${table} IS ${quoteText(index.constraintComment)}`);
  }
  if (index.clustered) statements.push(`ALTER TABLE ONLY ${table} CLUSTER ON ${name}`);
  if (index.replicaIdentity)
    statements.push(`ALTER TABLE ONLY ${table} REPLICA IDENTITY USING INDEX ${name}`);
  return statements;
}

/** An index is in the schema of its table. */
function qualified(index: SetAsideIndex): string {
  return quoteTable({ schema: index.table.schema, name: index.name });
}
