/** Views, materialized views and rules. */
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import {
  enter,
  type Inventory,
  type Making,
  making,
  RANKS,
  type SchemaObject,
  withoutSemicolon,
} from './schema-object.ts';
import { type ColumnRow, RELATION_OPTIONS, SCHEMA_COLUMNS } from './table-queries.ts';

interface ViewRow {
  oid: string;
  address: string;
  label: string;
  name: string;
  materialized: boolean;
  populated: boolean;
  options: string | null;
  accessMethod: string | null;
  definition: string;
  /** The rule that holds its query. */
  rule: string;
}

const VIEWS = `
SELECT c.oid::text AS oid, 'pg_class/' || c.oid AS address, ${labelName('n.nspname', 'c.relname')} AS label,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name,
       c.relkind = 'm' AS materialized, c.relispopulated AS populated, ${RELATION_OPTIONS} AS options,
       CASE WHEN am.amname <> 'heap' THEN pg_catalog.quote_ident(am.amname) END AS "accessMethod",
       pg_catalog.pg_get_viewdef(c.oid) AS definition,
       (SELECT 'pg_rewrite/' || r.oid FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename = '_RETURN') AS rule
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
 WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND ${USER_SCHEMA}`;

/** Reads views of both kinds. A populated materialized view is filled when it is made, after the rows. */
export async function readViews(inventory: Inventory): Promise<void> {
  const { session, signal } = inventory;
  const rows = await session.query<ViewRow>(VIEWS, [], signal);
  const columns = Map.groupBy(
    await session.query<ColumnRow>(SCHEMA_COLUMNS, [rows.map((row) => row.oid)], signal),
    (row) => row.oid,
  );
  for (const row of rows) {
    const own = columns.get(row.oid) ?? [];
    const word = row.materialized ? 'MATERIALIZED VIEW' : 'VIEW';
    if (!enter(inventory, viewObject(row, own), `${word} ${row.name}`)) continue;
    for (const column of own) {
      const address = `${row.address}/${column.number}`;
      inventory.targets.set(address, {
        text: `COLUMN ${row.name}.${column.name}`,
        of: row.address,
        address,
      });
    }
  }
}

function viewObject(row: ViewRow, columns: readonly ColumnRow[]): SchemaObject {
  const word = row.materialized ? 'MATERIALIZED VIEW' : 'VIEW';
  const own: SchemaObject = {
    address: row.address,
    label: `${word} ${row.label}`,
    rank: RANKS.VIEW,
    phase: 'AFTER',
    statements: [making(`CREATE ${definition(row)}`), ...columnDefaults(row, columns)],
    drop: `DROP ${word} IF EXISTS ${row.name}`,
  };
  return row.materialized ? own : { ...own, loosened: () => standIn(row, columns, own) };
}

function definition(row: ViewRow): string {
  const query = withoutSemicolon(row.definition);
  const options = row.options === null ? '' : ` WITH (${row.options})`;
  if (!row.materialized) return `VIEW ${row.name}${options} AS\n${query}`;
  const method = row.accessMethod === null ? '' : ` USING ${row.accessMethod}`;
  return `MATERIALIZED VIEW ${row.name}${method}${options} AS\n${query}\nWITH ${row.populated ? '' : 'NO '}DATA`;
}

function columnDefaults(row: ViewRow, columns: readonly ColumnRow[]): Making[] {
  return columns.flatMap((column) => {
    const at = `ALTER ${row.materialized ? 'MATERIALIZED VIEW' : 'VIEW'} ${row.name} ALTER COLUMN ${column.name}`;
    return [
      ...(column.defaultValue === null ? [] : [making(`${at} SET DEFAULT ${column.defaultValue}`)]),
      ...(row.materialized && column.statistics !== null
        ? [{ sql: `${at} SET STATISTICS ${column.statistics}` }]
        : []),
    ];
  });
}

/** A view of the same columns without content, and later the real one: breaks circles through functions. */
function standIn(row: ViewRow, columns: readonly ColumnRow[], own: SchemaObject): SchemaObject[] {
  const nothing = columns.map(
    (column) =>
      `NULL::${column.type}${column.collation === null ? '' : ` COLLATE ${column.collation}`} AS ${column.name}`,
  );
  const empty = `VIEW ${row.name} AS\nSELECT ${nothing.join(',\n    ')}`;
  return [
    {
      ...own,
      label: `VIEW COLUMNS ${row.label}`,
      statements: [{ sql: `CREATE ${empty}` }],
    },
    {
      ...own,
      address: `definition/${row.address}`,
      standsFor: [row.rule],
      statements: [making(`CREATE OR REPLACE ${definition(row)}`), ...columnDefaults(row, columns)],
      drop: `CREATE OR REPLACE ${empty}`,
      partOf: row.address,
    },
  ];
}

interface RuleRow {
  address: string;
  label: string;
  name: string;
  table: string;
  tableAddress: string;
  definition: string;
  enabled: string;
}

const RULES = `
SELECT 'pg_rewrite/' || r.oid AS address, ${labelName('r.rulename')} || ' ON ' || ${labelName('n.nspname', 'c.relname')} AS label,
       pg_catalog.quote_ident(r.rulename) AS name,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS table, 'pg_class/' || c.oid AS "tableAddress",
       pg_catalog.pg_get_ruledef(r.oid) AS definition, r.ev_enabled::text AS enabled
  FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE r.rulename <> '_RETURN' AND ${USER_SCHEMA}`;

/** How a rule or trigger is told to fire, by its letter; O is how it is made. */
export const ENABLED: Readonly<Record<string, string>> = {
  D: 'DISABLE',
  R: 'ENABLE REPLICA',
  A: 'ENABLE ALWAYS',
};

/** Reads rules. */
export async function readRules(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<RuleRow>(RULES, [], inventory.signal)) {
    if (inventory.ofExtension.has(row.tableAddress)) continue;
    const state = ENABLED[row.enabled];
    enter(
      inventory,
      {
        address: row.address,
        label: `RULE ${row.label}`,
        rank: RANKS.RULE,
        phase: 'AFTER',
        statements: [
          making(withoutSemicolon(row.definition)),
          ...(state === undefined ? [] : [{ sql: `ALTER TABLE ${row.table} ${state} RULE ${row.name}` }]),
        ],
        drop: `DROP RULE IF EXISTS ${row.name} ON ${row.table}`,
        partOf: row.tableAddress,
      },
      `RULE ${row.name} ON ${row.table}`,
    );
  }
}
