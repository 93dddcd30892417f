/** Indexes that are no keys, how those of partitions belong together, and extended statistics. */
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, making, RANKS } from './schema-object.ts';

interface IndexRow {
  address: string;
  label: string;
  name: string;
  plainName: string;
  table: string;
  tableLabel: string;
  tableAddress: string;
  /** It carries a key, and is made with it. */
  ofKey: boolean;
  definition: string;
  valid: boolean;
  clustered: boolean;
  identity: boolean;
  parent: string | null;
  parentAddress: string | null;
  statistics: { column: number; value: number }[] | null;
  tablespace: string | null;
}

const INDEXES = `
SELECT 'pg_class/' || c.oid AS address, ${labelName('n.nspname', 'c.relname')} AS label,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name,
       pg_catalog.quote_ident(c.relname) AS "plainName",
       pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname) AS table,
       ${labelName('tn.nspname', 't.relname')} AS "tableLabel", 'pg_class/' || t.oid AS "tableAddress",
       EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = c.oid AND k.contype IN ('p', 'u', 'x')) AS "ofKey",
       pg_catalog.pg_get_indexdef(c.oid) AS definition, i.indisvalid OR c.relkind = 'I' AS valid,
       i.indisclustered AS clustered, i.indisreplident AS identity,
       pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.relname) AS parent, 'pg_class/' || p.oid AS "parentAddress",
       (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object('column', a.attnum, 'value', a.attstattarget) ORDER BY a.attnum)
          FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND coalesce(a.attstattarget, -1) >= 0) AS statistics,
       ts.spcname::text AS tablespace
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_catalog.pg_inherits inh ON inh.inhrelid = c.oid
  LEFT JOIN pg_catalog.pg_class p ON p.oid = inh.inhparent
  LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
  LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
 WHERE ${USER_SCHEMA} AND t.relpersistence <> 't' AND t.relkind IN ('r', 'p', 'm')`;

/** Reads indexes; call it after the tables, whose keys own some of them. */
export async function readIndexes(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<IndexRow>(INDEXES, [], inventory.signal)) {
    if (inventory.ofExtension.has(row.tableAddress)) continue;
    if (!row.valid) {
      inventory.notCarried.push({
        name: `index ${row.label}`,
        reason: 'invalid: building it has failed; drop it or build it again',
      });
      continue;
    }
    if (!row.ofKey) {
      enter(
        inventory,
        {
          address: row.address,
          label: `INDEX ${row.label}`,
          rank: RANKS.INDEX,
          phase: 'AFTER',
          statements: [making(row.definition)],
          drop: `DROP INDEX IF EXISTS ${row.name}`,
          partOf: row.tableAddress,
        },
        `INDEX ${row.name}`,
      );
    } else {
      inventory.targets.set(row.address, {
        text: `INDEX ${row.name}`,
        of: row.address,
        address: row.address,
      });
    }
    enterAdditions(inventory, row);
  }
}

function enterAdditions(inventory: Inventory, row: IndexRow): void {
  const add = (
    kind: string,
    label: string,
    rank: number,
    statements: string[],
    drop: string,
    needs: string[],
  ) => {
    enter(inventory, {
      address: `${kind}/${row.address}`,
      label: `${kind} ${label}`,
      rank,
      phase: 'AFTER',
      statements: statements.map((sql) => ({ sql })),
      drop,
      partOf: row.tableAddress,
      needs: [row.address, ...needs],
    });
  };
  if (row.parent !== null && row.parentAddress !== null) {
    add(
      'INDEX PARTITION',
      row.label,
      RANKS.INDEX_PARTITION,
      [`ALTER INDEX ${row.parent} ATTACH PARTITION ${row.name}`],
      '',
      [row.parentAddress, `partition/${row.tableAddress}`],
    );
  }
  const table = `ALTER TABLE ${row.table}`;
  if (row.clustered) {
    const undo = `${table} SET WITHOUT CLUSTER`;
    add('CLUSTER', row.tableLabel, RANKS.TABLE_MARK, [`${table} CLUSTER ON ${row.plainName}`], undo, []);
  }
  if (row.identity) {
    const mark = `ALTER TABLE ONLY ${row.table} REPLICA IDENTITY`;
    const use = `${mark} USING INDEX ${row.plainName}`;
    add('REPLICA IDENTITY', row.tableLabel, RANKS.TABLE_MARK, [use], `${mark} DEFAULT`, []);
  }
  if (row.statistics !== null) {
    const set = (of: { column: number; value: number }): string =>
      `ALTER COLUMN ${of.column} SET STATISTICS ${of.value}`;
    const alter = `ALTER INDEX ${row.name}`;
    const undo = row.statistics.map((of) => set({ ...of, value: -1 })).join(', ');
    add(
      'INDEX STATISTICS',
      row.label,
      RANKS.TABLE_MARK,
      row.statistics.map((of) => `${alter} ${set(of)}`),
      `${alter} ${undo}`,
      [],
    );
  }
  if (row.tablespace !== null) {
    inventory.notCarried.push({
      name: `tablespace ${row.tablespace} of index ${row.label}`,
      reason: 'tablespaces belong to the server; the index is made in the default one',
    });
  }
}

interface StatisticsRow {
  address: string;
  label: string;
  name: string;
  definition: string;
  target: number | null;
  tableAddress: string;
}

const STATISTICS = `
SELECT 'pg_statistic_ext/' || s.oid AS address, ${labelName('n.nspname', 's.stxname')} AS label,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(s.stxname) AS name,
       pg_catalog.pg_get_statisticsobjdef(s.oid) AS definition,
       nullif((pg_catalog.to_jsonb(s) ->> 'stxstattarget')::integer, -1) AS target, 'pg_class/' || s.stxrelid AS "tableAddress"
  FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace WHERE ${USER_SCHEMA}`;

/** Reads extended statistics. */
export async function readStatistics(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<StatisticsRow>(STATISTICS, [], inventory.signal)) {
    enter(
      inventory,
      {
        address: row.address,
        label: `STATISTICS ${row.label}`,
        rank: RANKS.STATISTICS,
        phase: 'AFTER',
        statements: [
          { sql: row.definition },
          ...(row.target === null
            ? []
            : [{ sql: `ALTER STATISTICS ${row.name} SET STATISTICS ${row.target}` }]),
        ],
        drop: `DROP STATISTICS IF EXISTS ${row.name}`,
        partOf: row.tableAddress,
      },
      `STATISTICS ${row.name}`,
    );
  }
}
