/** Sequences that stand alone or belong to a column; those of identity columns are part of their table. */
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, RANKS } from './schema-object.ts';

interface SequenceRow {
  address: string;
  label: string;
  name: string;
  type: string;
  options: string;
  unlogged: boolean;
  owner: string | null;
  ownerAddress: string | null;
}

/** The parameters of a sequence, all of them; `s` is pg_sequence. */
export const SEQUENCE_OPTIONS = `'START WITH ' || s.seqstart || ' INCREMENT BY ' || s.seqincrement || ' MINVALUE ' || s.seqmin
  || ' MAXVALUE ' || s.seqmax || ' CACHE ' || s.seqcache || CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END`;

const SEQUENCES = `
SELECT 'pg_class/' || c.oid AS address, ${labelName('n.nspname', 'c.relname')} AS label,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name,
       pg_catalog.format_type(s.seqtypid, NULL) AS type, ${SEQUENCE_OPTIONS} AS options, c.relpersistence = 'u' AS unlogged,
       pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname) || '.' || pg_catalog.quote_ident(a.attname) AS owner,
       'pg_class/' || t.oid AS "ownerAddress"
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid
  LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
  LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND ${USER_SCHEMA} AND d.deptype IS DISTINCT FROM 'i'`;

/** Reads sequences and whom they belong to. */
export async function readSchemaSequences(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<SequenceRow>(SEQUENCES, [], inventory.signal)) {
    const unlogged = row.unlogged ? 'UNLOGGED ' : '';
    const entered = enter(
      inventory,
      {
        address: row.address,
        label: `SEQUENCE ${row.label}`,
        rank: RANKS.SEQUENCE,
        phase: 'BEFORE',
        statements: [{ sql: `CREATE ${unlogged}SEQUENCE ${row.name} AS ${row.type} ${row.options}` }],
        drop: `DROP SEQUENCE IF EXISTS ${row.name}`,
        ...(row.ownerAddress === null ? {} : { partOf: row.ownerAddress }),
      },
      `SEQUENCE ${row.name}`,
    );
    if (!entered || row.owner === null || row.ownerAddress === null) continue;
    enter(inventory, {
      address: `owned by/${row.address}`,
      label: `OWNED SEQUENCE ${row.label}`,
      rank: RANKS.OWNED_BY,
      phase: 'BEFORE',
      statements: [{ sql: `ALTER SEQUENCE ${row.name} OWNED BY ${row.owner}` }],
      drop: `ALTER SEQUENCE IF EXISTS ${row.name} OWNED BY NONE`,
      partOf: row.address,
      needs: [row.ownerAddress],
    });
  }
}
