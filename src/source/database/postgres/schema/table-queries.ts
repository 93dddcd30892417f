/** The questions about tables, their columns and the rules that stand in CREATE TABLE. */
import { USER_SCHEMA } from './namespaces.ts';
import { SEQUENCE_OPTIONS } from './sequences-of-schema.ts';

export interface TableRow {
  oid: string;
  address: string;
  schema: string;
  plainName: string;
  name: string;
  /** r: table, p: partitioned, f: foreign. */
  kind: string;
  unlogged: boolean;
  typed: string | null;
  options: string | null;
  accessMethod: string | null;
  partitionKey: string | null;
  isPartition: boolean;
  bound: string | null;
  parents: { name: string; address: string }[] | null;
  server: string | null;
  serverAddress: string | null;
  foreignOptions: string[] | null;
  rowSecurity: boolean;
  forced: boolean;
  replicaIdentity: string;
  tablespace: string | null;
}

const OPTIONS = (of: string, prefix: string): string => `
  (SELECT pg_catalog.string_agg('${prefix}' || pg_catalog.quote_ident(o.option_name) || '=' || pg_catalog.quote_literal(o.option_value), ', ')
     FROM pg_catalog.pg_options_to_table(${of}.reloptions) AS o)`;

/** Storage parameters of a relation `c`, as they stand in WITH (…). */
export const RELATION_OPTIONS = OPTIONS('c', '');

export const SCHEMA_TABLES = `
SELECT c.oid::text AS oid, 'pg_class/' || c.oid AS address, n.nspname::text AS schema, c.relname::text AS "plainName",
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name, c.relkind::text AS kind,
       c.relpersistence = 'u' AS unlogged,
       CASE WHEN c.reloftype <> 0 THEN pg_catalog.format_type(c.reloftype, NULL) END AS typed,
       nullif(pg_catalog.concat_ws(', ', ${RELATION_OPTIONS}, ${OPTIONS('toast', 'toast.')}), '') AS options,
       CASE WHEN am.amname <> 'heap' THEN pg_catalog.quote_ident(am.amname) END AS "accessMethod",
       CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS "partitionKey",
       c.relispartition AS "isPartition", pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS bound,
       (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                 'name', pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.relname),
                 'address', 'pg_class/' || p.oid) ORDER BY i.inhseqno)
          FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class p ON p.oid = i.inhparent
          JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = c.oid) AS parents,
       pg_catalog.quote_ident(fs.srvname) AS server, 'pg_foreign_server/' || fs.oid AS "serverAddress", (SELECT pg_catalog.array_agg(pg_catalog.quote_ident(o.option_name) || ' ' || pg_catalog.quote_literal(o.option_value))
          FROM pg_catalog.pg_options_to_table(ft.ftoptions) AS o) AS "foreignOptions",
       c.relrowsecurity AS "rowSecurity", c.relforcerowsecurity AS forced, c.relreplident::text AS "replicaIdentity",
       ts.spcname::text AS tablespace
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_class toast ON toast.oid = c.reltoastrelid
  LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam
  LEFT JOIN pg_catalog.pg_foreign_table ft ON ft.ftrelid = c.oid
  LEFT JOIN pg_catalog.pg_foreign_server fs ON fs.oid = ft.ftserver
  LEFT JOIN pg_catalog.pg_tablespace ts ON ts.oid = c.reltablespace
 WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND ${USER_SCHEMA}`;

export interface ColumnRow {
  oid: string;
  number: number;
  name: string;
  plainName: string;
  type: string;
  collation: string | null;
  notNull: boolean;
  /** A parent's column of the same name is NOT NULL. */
  parentNotNull: boolean;
  local: boolean;
  inherited: boolean;
  defaultAddress: string | null;
  defaultValue: string | null;
  /** s: stored, v: virtual, empty: not generated. */
  generated: string;
  /** a: always, d: by default, empty: none. */
  identity: string;
  sequenceAddress: string | null;
  sequenceName: string | null;
  sequenceOptions: string | null;
  parentDefaults: (string | null)[] | null;
  storage: string | null;
  compression: string | null;
  statistics: number | null;
  options: string | null;
  foreignOptions: string[] | null;
}

const STORAGE = `CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' WHEN 'x' THEN 'EXTENDED' END`;

/** Columns of the relations `$1`; also of views, whose columns may have defaults. */
export const SCHEMA_COLUMNS = `
SELECT a.attrelid::text AS oid, a.attnum AS number, pg_catalog.quote_ident(a.attname) AS name, a.attname::text AS "plainName",
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
            THEN pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname) END AS collation,
       a.attnotnull AS "notNull",
       EXISTS (SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_attribute pa ON pa.attrelid = i.inhparent
                WHERE i.inhrelid = a.attrelid AND pa.attname = a.attname AND pa.attnotnull) AS "parentNotNull",
       a.attislocal AS local, a.attinhcount > 0 AS inherited, 'pg_attrdef/' || d.oid AS "defaultAddress",
       pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS "defaultValue",
       a.attgenerated::text AS generated, a.attidentity::text AS identity,
       'pg_class/' || seq.oid AS "sequenceAddress",
       pg_catalog.quote_ident(sn.nspname) || '.' || pg_catalog.quote_ident(seq.relname) AS "sequenceName",
       ${SEQUENCE_OPTIONS} AS "sequenceOptions",
       (SELECT pg_catalog.array_agg(pg_catalog.pg_get_expr(pd.adbin, pd.adrelid))
          FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_attribute pa ON pa.attrelid = i.inhparent AND pa.attname = a.attname
          LEFT JOIN pg_catalog.pg_attrdef pd ON pd.adrelid = pa.attrelid AND pd.adnum = pa.attnum
         WHERE i.inhrelid = a.attrelid) AS "parentDefaults",
       CASE WHEN a.attstorage <> t.typstorage THEN ${STORAGE} END AS storage,
       CASE pg_catalog.to_jsonb(a) ->> 'attcompression' WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END AS compression,
       CASE WHEN coalesce(a.attstattarget, -1) >= 0 THEN a.attstattarget END AS statistics,
       (SELECT pg_catalog.string_agg(pg_catalog.quote_ident(o.option_name) || '=' || o.option_value, ', ')
          FROM pg_catalog.pg_options_to_table(a.attoptions) AS o) AS options,
       (SELECT pg_catalog.array_agg(pg_catalog.quote_ident(o.option_name) || ' ' || pg_catalog.quote_literal(o.option_value))
          FROM pg_catalog.pg_options_to_table(a.attfdwoptions) AS o) AS "foreignOptions"
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_catalog.pg_collation co ON co.oid = a.attcollation
  LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = co.collnamespace
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  LEFT JOIN pg_catalog.pg_depend sd ON a.attidentity <> '' AND sd.refclassid = 'pg_catalog.pg_class'::regclass
    AND sd.refobjid = a.attrelid AND sd.refobjsubid = a.attnum AND sd.deptype = 'i' AND sd.classid = 'pg_catalog.pg_class'::regclass
  LEFT JOIN pg_catalog.pg_class seq ON seq.oid = sd.objid AND seq.relkind = 'S'
  LEFT JOIN pg_catalog.pg_namespace sn ON sn.oid = seq.relnamespace
  LEFT JOIN pg_catalog.pg_sequence s ON s.seqrelid = seq.oid
 WHERE a.attrelid = ANY($1::text[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum`;

export interface ConstraintRow {
  oid: string;
  address: string;
  /** c: check, n: not null (18), p, u, x, f. */
  kind: string;
  name: string;
  plainName: string;
  definition: string;
  local: boolean;
  valid: boolean;
  noInherit: boolean;
  /** The column of a not-null constraint. */
  column: number | null;
  /** The constraint of the partitioned table it is a part of. */
  parent: string | null;
  /** The index beneath a key. */
  index: string | null;
  /** It calls functions of the application. */
  callsFunctions: boolean;
}

/** Constraints of the tables `$1`. */
export const SCHEMA_CONSTRAINTS = `
SELECT c.conrelid::text AS oid, 'pg_constraint/' || c.oid AS address, c.contype::text AS kind,
       pg_catalog.quote_ident(c.conname) AS name, c.conname::text AS "plainName",
       pg_catalog.pg_get_constraintdef(c.oid) AS definition, c.conislocal AS local, c.convalidated AS valid,
       c.connoinherit AS "noInherit", c.conkey[1] AS column,
       CASE WHEN c.conparentid <> 0 THEN 'pg_constraint/' || c.conparentid END AS parent,
       CASE WHEN c.contype IN ('p', 'u', 'x') THEN 'pg_class/' || c.conindid END AS index,
       EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_constraint'::regclass AND d.objid = c.oid
         AND d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid >= 16384
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')) AS "callsFunctions"
  FROM pg_catalog.pg_constraint c
 WHERE c.conrelid = ANY($1::text[]::oid[]) AND c.contype IN ('c', 'n', 'p', 'u', 'x', 'f')
 ORDER BY c.conrelid, c.conname COLLATE "C"`;
