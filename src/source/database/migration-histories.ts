/** Where the migration tools of applications keep which migrations are applied, as far as we know them. */

/** At most this many names, the newest. */
const LIMIT = 1_000;

interface MigrationHistory {
  readonly table: string;
  /** Columns that tell the table from a namesake; the ones named below are among them. */
  readonly columns: readonly string[];
  /** The columns that make the name of a migration, joined by dots. */
  readonly label: readonly string[];
  readonly newestFirst: readonly string[];
  /** Rows count when `set` holds something, `unset` is NULL and `succeeded` is true. */
  readonly set?: string;
  readonly unset?: string;
  readonly succeeded?: string;
}

const HISTORIES: readonly MigrationHistory[] = [
  {
    table: '_prisma_migrations',
    columns: ['migration_name', 'started_at', 'finished_at', 'rolled_back_at'],
    label: ['migration_name'],
    newestFirst: ['started_at', 'migration_name'],
    set: 'finished_at',
    unset: 'rolled_back_at',
  },
  { table: 'knex_migrations', columns: ['id', 'name'], label: ['name'], newestFirst: ['id'] },
  // TypeORM, under its usual name and under one that is often given.
  {
    table: 'migrations',
    columns: ['id', 'timestamp', 'name'],
    label: ['name'],
    newestFirst: ['timestamp', 'id'],
  },
  {
    table: 'typeorm_migrations',
    columns: ['id', 'timestamp', 'name'],
    label: ['name'],
    newestFirst: ['timestamp', 'id'],
  },
  // Laravel
  { table: 'migrations', columns: ['id', 'migration', 'batch'], label: ['migration'], newestFirst: ['id'] },
  { table: 'SequelizeMeta', columns: ['name'], label: ['name'], newestFirst: ['name'] },
  // Rails, and others that took it over.
  { table: 'schema_migrations', columns: ['version'], label: ['version'], newestFirst: ['version'] },
  {
    table: 'flyway_schema_history',
    columns: ['installed_rank', 'script', 'success'],
    label: ['script'],
    newestFirst: ['installed_rank'],
    succeeded: 'success',
  },
  // Its id is NULL on SQLite.
  {
    table: '__drizzle_migrations',
    columns: ['id', 'hash', 'created_at'],
    label: ['hash'],
    newestFirst: ['created_at', 'id'],
  },
  { table: 'django_migrations', columns: ['id', 'app', 'name'], label: ['app', 'name'], newestFirst: ['id'] },
  {
    table: 'alembic_version',
    columns: ['version_num'],
    label: ['version_num'],
    newestFirst: ['version_num'],
  },
  {
    table: 'doctrine_migration_versions',
    columns: ['version', 'executed_at'],
    label: ['version'],
    newestFirst: ['version'],
  },
];

/** A table that may be read. */
export interface CandidateTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string }[];
  /** Its name as it stands in a query. */
  readonly quoted: string;
}

/**
 * The queries that tell the applied migrations: each gives one column, `name`, the newest first.
 * @param quote - quotes the name of a column
 */
export function migrationQueries(
  tables: readonly CandidateTable[],
  quote: (name: string) => string,
): readonly string[] {
  return HISTORIES.flatMap((history) =>
    tables.filter((table) => isHistory(table, history)).map((table) => queryOf(history, table.quoted, quote)),
  );
}

/** The names of all histories, oldest first, from what {@link migrationQueries} found. */
export function oldestFirst(found: readonly (readonly unknown[])[]): readonly string[] {
  return found
    .flatMap((names) => names.toReversed())
    .filter((name): name is string => typeof name === 'string' && name !== '')
    .slice(-LIMIT);
}

function isHistory(table: CandidateTable, { table: name, columns }: MigrationHistory): boolean {
  if (table.name !== name) return false;
  const present = new Set(table.columns.map((column) => column.name));
  return columns.every((column) => present.has(column));
}

/** concat_ws is the same on all three, and makes text of whatever type a column has. */
function queryOf(history: MigrationHistory, table: string, quote: (name: string) => string): string {
  const conditions = [
    ...(history.set === undefined ? [] : [`${quote(history.set)} IS NOT NULL`]),
    ...(history.unset === undefined ? [] : [`${quote(history.unset)} IS NULL`]),
    ...(history.succeeded === undefined ? [] : [`concat_ws('', ${quote(history.succeeded)}) IN ('1', 't')`]),
  ];
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
  const order = history.newestFirst.map((column) => `${quote(column)} DESC`).join(', ');
  return `SELECT concat_ws('.', ${history.label.map(quote).join(', ')}) AS name FROM ${table}${where} ORDER BY ${order} LIMIT ${LIMIT}`;
}
