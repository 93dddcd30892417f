/** Operators, casts and operator classes. */
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, RANKS } from './schema-object.ts';

interface OperatorRow {
  address: string;
  label: string;
  name: string;
  left: string | null;
  right: string | null;
  procedure: string;
  commutator: string | null;
  negator: string | null;
  restrict: string;
  join: string;
  merges: boolean;
  hashes: boolean;
}

const OTHER = (column: string): string => `
  (SELECT 'OPERATOR(' || pg_catalog.quote_ident(xn.nspname) || '.' || x.oprname || ')' FROM pg_catalog.pg_operator x
     JOIN pg_catalog.pg_namespace xn ON xn.oid = x.oprnamespace WHERE x.oid = o.${column})`;

/** Operators that only stand for another's commutator have no function yet. */
const OPERATORS = `
SELECT 'pg_operator/' || o.oid AS address, ${labelName('n.nspname', 'o.oprname')} AS label,
       pg_catalog.quote_ident(n.nspname) || '.' || o.oprname AS name,
       CASE WHEN o.oprleft <> 0 THEN pg_catalog.format_type(o.oprleft, NULL) END AS left,
       CASE WHEN o.oprright <> 0 THEN pg_catalog.format_type(o.oprright, NULL) END AS right,
       o.oprcode::text AS procedure, ${OTHER('oprcom')} AS commutator, ${OTHER('oprnegate')} AS negator,
       o.oprrest::text AS restrict, o.oprjoin::text AS join, o.oprcanmerge AS merges, o.oprcanhash AS hashes
  FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
 WHERE ${USER_SCHEMA} AND o.oprcode::oid <> 0`;

/** Reads operators. */
export async function readOperators(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<OperatorRow>(OPERATORS, [], inventory.signal)) {
    const parts = [
      `FUNCTION = ${row.procedure}`,
      ...(row.left === null ? [] : [`LEFTARG = ${row.left}`]),
      ...(row.right === null ? [] : [`RIGHTARG = ${row.right}`]),
      ...(row.commutator === null ? [] : [`COMMUTATOR = ${row.commutator}`]),
      ...(row.negator === null ? [] : [`NEGATOR = ${row.negator}`]),
      ...(row.merges ? ['MERGES'] : []),
      ...(row.hashes ? ['HASHES'] : []),
      ...(row.restrict === '-' ? [] : [`RESTRICT = ${row.restrict}`]),
      ...(row.join === '-' ? [] : [`JOIN = ${row.join}`]),
    ];
    const sides = `(${row.left ?? 'NONE'}, ${row.right ?? 'NONE'})`;
    enter(
      inventory,
      {
        address: row.address,
        label: `OPERATOR ${row.label} ${sides}`,
        rank: RANKS.OPERATOR,
        phase: 'BEFORE',
        statements: [{ sql: `CREATE OPERATOR ${row.name} (\n    ${parts.join(',\n    ')}\n)` }],
        drop: `DROP OPERATOR IF EXISTS ${row.name} ${sides}`,
      },
      `OPERATOR ${row.name} ${sides}`,
    );
  }
}

interface CastRow {
  address: string;
  from: string;
  to: string;
  method: string;
  context: string;
  procedure: string | null;
}

/** Casts that came neither with the server nor with a range type. */
const CASTS = `
SELECT 'pg_cast/' || c.oid AS address, pg_catalog.format_type(c.castsource, NULL) AS from,
       pg_catalog.format_type(c.casttarget, NULL) AS to, c.castmethod::text AS method, c.castcontext::text AS context,
       CASE WHEN c.castfunc <> 0 THEN c.castfunc::regprocedure::text END AS procedure
  FROM pg_catalog.pg_cast c WHERE c.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
   WHERE d.classid = 'pg_catalog.pg_cast'::regclass AND d.objid = c.oid AND d.deptype = 'i')`;

const CONTEXTS: Readonly<Record<string, string>> = { e: '', a: ' AS ASSIGNMENT', i: ' AS IMPLICIT' };

/** Reads casts. */
export async function readCasts(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<CastRow>(CASTS, [], inventory.signal)) {
    const pair = `(${row.from} AS ${row.to})`;
    const how =
      row.method === 'f'
        ? `WITH FUNCTION ${row.procedure}`
        : row.method === 'i'
          ? 'WITH INOUT'
          : 'WITHOUT FUNCTION';
    enter(
      inventory,
      {
        address: row.address,
        label: `CAST ${pair}`,
        rank: RANKS.OPERATOR,
        phase: 'BEFORE',
        statements: [{ sql: `CREATE CAST ${pair} ${how}${CONTEXTS[row.context] ?? ''}` }],
        drop: `DROP CAST IF EXISTS ${pair}`,
      },
      `CAST ${pair}`,
    );
  }
}

/** Objects that only a superuser makes and that stand for code in the server. */
const UNSUPPORTED = `
SELECT 'pg_opclass/' || o.oid AS address, 'OPERATOR CLASS ' || ${labelName('n.nspname', 'o.opcname')} AS label
  FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_namespace n ON n.oid = o.opcnamespace WHERE ${USER_SCHEMA}
UNION ALL
SELECT 'pg_opfamily/' || o.oid, 'OPERATOR FAMILY ' || ${labelName('n.nspname', 'o.opfname')}
  FROM pg_catalog.pg_opfamily o JOIN pg_catalog.pg_namespace n ON n.oid = o.opfnamespace WHERE ${USER_SCHEMA}
UNION ALL
SELECT 'pg_conversion/' || o.oid, 'CONVERSION ' || ${labelName('n.nspname', 'o.conname')}
  FROM pg_catalog.pg_conversion o JOIN pg_catalog.pg_namespace n ON n.oid = o.connamespace WHERE ${USER_SCHEMA}
UNION ALL
SELECT 'pg_language/' || l.oid, 'LANGUAGE ' || l.lanname FROM pg_catalog.pg_language l WHERE l.oid >= 16384
UNION ALL
SELECT 'pg_am/' || a.oid, 'ACCESS METHOD ' || a.amname FROM pg_catalog.pg_am a WHERE a.oid >= 16384
UNION ALL
SELECT 'pg_transform/' || t.oid, 'TRANSFORM FOR ' || pg_catalog.format_type(t.trftype, NULL) FROM pg_catalog.pg_transform t WHERE t.oid >= 16384
UNION ALL
SELECT 'pg_ts_parser/' || p.oid, 'TEXT SEARCH PARSER ' || ${labelName('n.nspname', 'p.prsname')}
  FROM pg_catalog.pg_ts_parser p JOIN pg_catalog.pg_namespace n ON n.oid = p.prsnamespace WHERE ${USER_SCHEMA}
UNION ALL
SELECT 'pg_ts_template/' || p.oid, 'TEXT SEARCH TEMPLATE ' || ${labelName('n.nspname', 'p.tmplname')}
  FROM pg_catalog.pg_ts_template p JOIN pg_catalog.pg_namespace n ON n.oid = p.tmplnamespace WHERE ${USER_SCHEMA}
UNION ALL
SELECT 'pg_foreign_data_wrapper/' || w.oid, 'FOREIGN DATA WRAPPER ' || w.fdwname FROM pg_catalog.pg_foreign_data_wrapper w WHERE w.oid >= 16384`;

/** Enters what no script makes again, so that whatever needs it is left out with it. */
export async function readUnsupported(inventory: Inventory): Promise<void> {
  const rows = await inventory.session.query<{ address: string; label: string }>(
    UNSUPPORTED,
    [],
    inventory.signal,
  );
  for (const { address, label } of rows) {
    enter(inventory, {
      address,
      label,
      rank: RANKS.OPERATOR,
      phase: 'BEFORE',
      statements: [],
      drop: undefined,
      impossible: 'only a superuser makes it; make it by hand before a restore into another server',
    });
  }
}
