/** The questions asked of PostgreSQL's catalog. Names come as text, ids as text, booleans as booleans. */

import type { Writing } from './live-table.ts';

/** Schemas of applications: not the system's, not another session's temporary one. `n` is pg_namespace. */
const USER_SCHEMA = `n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'`;

/** A standby holds no rows of them and refuses to read them. `c` is pg_class. */
export const LOST_ON_STANDBY = `c.relpersistence = 'u' AND pg_catalog.pg_is_in_recovery()`;

const OF_EXTENSION = `EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass
  AND e.objid = c.oid AND e.deptype = 'e')`;

export interface TableRow {
  oid: string;
  schema: string;
  name: string;
  readable: boolean;
  schemaUsable: boolean;
  rowSecurity: boolean;
  rowsHidden: boolean;
  tuples: number;
  pages: number;
}

/** Ordinary tables, leaf partitions and inheritance children among them. */
export const TABLES = `
SELECT c.oid::text AS oid, n.nspname::text AS schema, c.relname::text AS name,
       coalesce(pg_catalog.has_table_privilege(c.oid, 'SELECT')
         AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'), false) AS readable,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS "schemaUsable",
       c.relrowsecurity AS "rowSecurity",
       c.relrowsecurity AND pg_catalog.row_security_active(c.oid) AS "rowsHidden", c.reltuples::float8 AS tuples, c.relpages AS pages
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND ${USER_SCHEMA} AND NOT ${OF_EXTENSION}
   AND NOT (${LOST_ON_STANDBY})
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;

/** Sizes in bytes of tables nobody analyzed; asked apart, since it waits for whoever rewrites the table. */
export const SIZES = `
SELECT c.oid::text AS oid, pg_catalog.pg_relation_size(c.oid)::float8 AS bytes
  FROM pg_catalog.pg_class c
 WHERE c.oid::text = ANY($1::text[]) AND NOT EXISTS (
   SELECT FROM pg_catalog.pg_locks l WHERE l.relation = c.oid AND l.locktype = 'relation'
      AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
      AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))`;

export interface ColumnRow {
  oid: string;
  name: string;
  type: string;
  nullable: boolean;
  hasDefault: boolean;
  generated: boolean;
  writing: Writing;
  outputFunction: string;
  domainOf: string | null;
}

/** Columns of the tables `$1`, in order; `$2`: the server is older than version 14. Domains are followed down to the type beneath. */
export const COLUMNS = `
WITH RECURSIVE domain(oid, base) AS (
  SELECT t.oid, t.typbasetype FROM pg_catalog.pg_type t WHERE t.typtype = 'd'
  UNION ALL
  SELECT d.oid, t.typbasetype FROM domain d JOIN pg_catalog.pg_type t ON t.oid = d.base WHERE t.typtype = 'd'
)
SELECT a.attrelid::text AS oid, a.attname::text AS name,
       pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
       NOT a.attnotnull AND own.typnotnull IS NOT TRUE AS nullable,
       a.attgenerated = '' AND (a.atthasdef OR a.attidentity <> '' OR own.typdefault IS NOT NULL) AS "hasDefault",
       a.attgenerated <> '' AS generated,
       CASE WHEN base.oid = 'bool'::regtype THEN 'BOOLEAN'
            WHEN base.oid = ANY ('{int2,int4,int8}'::regtype[]) THEN 'INTEGER'
            -- Before version 14, and with a precision, numeric knows no infinity.
            WHEN base.oid = 'numeric'::regtype AND (a.atttypmod <> -1 OR $2) THEN 'NUMBER_OR_NAN'
            WHEN base.oid = ANY ('{numeric,float4,float8}'::regtype[]) THEN 'NUMBER_OR_WORD'
            WHEN base.oid = ANY ('{date,time,timetz,timestamp,timestamptz,interval,uuid,oid,inet,cidr,macaddr,macaddr8,pg_lsn,xid,cid,tid,money}'::regtype[]) THEN 'SHORT_WORD'
            WHEN base.oid = ANY ('{bit,varbit,_bool,_int2,_int4,_int8,_float4,_float8,_numeric,_oid,_uuid}'::regtype[]) THEN 'WORD'
            WHEN base.oid = 'bytea'::regtype THEN 'BYTES'
            -- A refcursor is written by the output function of text, which does not take one.
            WHEN base.oid = ANY ('{text,varchar,bpchar,refcursor}'::regtype[]) THEN 'TEXT'
            ELSE 'OTHER' END AS writing,
       pg_catalog.quote_ident(pn.nspname) || '.' || pg_catalog.quote_ident(p.proname) AS "outputFunction",
       CASE WHEN own.typtype = 'd' THEN pg_catalog.format_type(base.oid, -1) END AS "domainOf"
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_type own ON own.oid = a.atttypid
  LEFT JOIN LATERAL (SELECT d.base FROM domain d JOIN pg_catalog.pg_type t ON t.oid = d.base
                      WHERE d.oid = a.atttypid AND t.typtype <> 'd') AS d ON true
  JOIN pg_catalog.pg_type base ON base.oid = coalesce(d.base, a.atttypid)
  JOIN pg_catalog.pg_proc p ON p.oid = base.typoutput
  JOIN pg_catalog.pg_namespace pn ON pn.oid = p.pronamespace
 WHERE a.attrelid = ANY($1::text[]::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attrelid, a.attnum`;

export interface PrimaryKeyRow {
  oid: string;
  columns: string[];
}

/** Primary keys of the tables `$1`, columns in key order. */
export const PRIMARY_KEYS = `
SELECT c.conrelid::text AS oid,
       (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.n)
          FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k(attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns
  FROM pg_catalog.pg_constraint c
 WHERE c.contype = 'p' AND c.conrelid = ANY($1::text[]::oid[])`;

export interface ForeignKeyRow {
  oid: string;
  name: string;
  columns: string[];
  schema: string;
  table: string;
  referencedColumns: string[];
  deferrable: boolean;
}

/**
 * Foreign keys of the tables `$1`. A key to a partitioned table appears once for each partition (the catalog
 * holds such rows), since rows are carried partition by partition.
 */
export const FOREIGN_KEYS = `
SELECT c.conrelid::text AS oid, c.conname::text AS name,
       (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.n)
          FROM pg_catalog.unnest(c.conkey) WITH ORDINALITY AS k(attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns,
       rn.nspname::text AS schema, r.relname::text AS table,
       (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.n)
          FROM pg_catalog.unnest(c.confkey) WITH ORDINALITY AS k(attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.confrelid AND a.attnum = k.attnum) AS "referencedColumns",
       c.condeferrable AS deferrable
  FROM pg_catalog.pg_constraint c
  JOIN pg_catalog.pg_class r ON r.oid = c.confrelid
  JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
 WHERE c.contype = 'f' AND r.relkind = 'r' AND c.conrelid = ANY($1::text[]::oid[])
 ORDER BY c.conrelid, c.conname COLLATE "C"`;

/** What holds no rows of its own or is not carried, with the reason. */
export const LEFT_OUT = `
SELECT n.nspname || '.' || c.relname AS name,
       CASE WHEN c.relpersistence = 't' THEN 'temporary table of an open session'
            WHEN ${LOST_ON_STANDBY} THEN 'unlogged table; a standby does not hold its rows'
            WHEN ${OF_EXTENSION} THEN 'belongs to an extension, which brings it along'
            WHEN c.relkind = 'v' THEN 'view; holds no rows of its own'
            WHEN c.relkind = 'm' THEN 'materialized view; refreshed by a restore of the tables it is made of'
            WHEN c.relkind = 'f' THEN 'foreign table; its rows are in another server'
            ELSE 'partitioned table; its rows are in its partitions, which are backed up' END AS reason
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE (c.relkind IN ('v', 'm', 'f', 'p') AND c.relpersistence <> 't' AND ${USER_SCHEMA} AND NOT ${OF_EXTENSION})
    OR (c.relkind = 'r' AND c.relpersistence = 't')
    OR (c.relkind = 'r' AND ${USER_SCHEMA} AND (${OF_EXTENSION} OR ${LOST_ON_STANDBY}))
ORDER BY 1`;

export interface SequenceRow {
  schema: string;
  name: string;
  /** Ids of the tables that own it; for one owned by a partitioned table those of the partitions. Null: nobody. */
  owners: string[] | null;
}

/** Sequences of applications, and the ordinary tables that own them. */
export const SEQUENCES = `
WITH RECURSIVE owner(seq, rel) AS (
  SELECT d.objid, d.refobjid FROM pg_catalog.pg_depend d
   WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_class'::regclass
     AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
  UNION
  SELECT o.seq, i.inhrelid FROM owner o
    JOIN pg_catalog.pg_class p ON p.oid = o.rel AND p.relkind = 'p'
    JOIN pg_catalog.pg_inherits i ON i.inhparent = p.oid
)
SELECT n.nspname::text AS schema, c.relname::text AS name,
       (SELECT pg_catalog.array_agg(o.rel::text) FROM owner o WHERE o.seq = c.oid) AS owners
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND ${USER_SCHEMA} AND NOT ${OF_EXTENSION}
 ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`;
