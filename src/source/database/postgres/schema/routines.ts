/** Functions, procedures and aggregates. */

import { quoteText } from '../quote.ts';
import { labelName } from './label-name.ts';
import { USER_SCHEMA } from './namespaces.ts';
import { enter, type Inventory, making, RANKS } from './schema-object.ts';

interface RoutineRow {
  address: string;
  kind: string;
  name: string;
  label: string;
  identity: string;
  definition: string | null;
}

/** Constructors of range types are part of their type. */
const ROUTINES = `
SELECT 'pg_proc/' || p.oid AS address, p.prokind::text AS kind,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(p.proname) AS name,
       ${labelName('n.nspname', 'p.proname')} AS label, pg_catalog.pg_get_function_identity_arguments(p.oid) AS identity,
       CASE WHEN p.prokind <> 'a' THEN pg_catalog.pg_get_functiondef(p.oid) END AS definition
  FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE ${USER_SCHEMA} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
   WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('i', 'e'))`;

/** Reads functions and procedures, and with them the aggregates. */
export async function readRoutines(inventory: Inventory): Promise<void> {
  const rows = await inventory.session.query<RoutineRow>(ROUTINES, [], inventory.signal);
  for (const { address, kind, name, label, identity, definition } of rows) {
    if (kind === 'a' || definition === null) continue;
    const word = kind === 'p' ? 'PROCEDURE' : 'FUNCTION';
    const full = `${name}(${identity})`;
    enter(
      inventory,
      {
        address,
        label: `${word} ${label}(${identity})`,
        rank: RANKS.FUNCTION,
        phase: 'BEFORE',
        statements: [making(definition.trimEnd())],
        drop: `DROP ${word} IF EXISTS ${full}`,
      },
      `${word} ${full}`,
    );
  }
  await readAggregates(inventory);
}

interface AggregateRow {
  address: string;
  name: string;
  label: string;
  identity: string;
  arguments: string;
  kind: string;
  transition: string;
  state: string;
  space: number;
  final: string;
  finalExtra: boolean;
  finalModify: string | null;
  combine: string;
  serial: string;
  deserial: string;
  initial: string | null;
  sortOperator: string | null;
  movingTransition: string;
  movingInverse: string;
  movingState: string | null;
  movingSpace: number;
  movingFinal: string;
  movingFinalExtra: boolean;
  movingFinalModify: string | null;
  movingInitial: string | null;
  parallel: string;
}

const AGGREGATES = `
SELECT 'pg_proc/' || p.oid AS address, ${labelName('n.nspname', 'p.proname')} AS label,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(p.proname) AS name,
       pg_catalog.pg_get_function_identity_arguments(p.oid) AS identity,
       pg_catalog.pg_get_function_arguments(p.oid) AS arguments, a.aggkind::text AS kind,
       a.aggtransfn::text AS transition, pg_catalog.format_type(a.aggtranstype, NULL) AS state, a.aggtransspace AS space,
       a.aggfinalfn::text AS final, a.aggfinalextra AS "finalExtra", a.aggfinalmodify::text AS "finalModify",
       a.aggcombinefn::text AS combine, a.aggserialfn::text AS serial, a.aggdeserialfn::text AS deserial,
       a.agginitval AS initial,
       CASE WHEN a.aggsortop <> 0 THEN (SELECT 'OPERATOR(' || pg_catalog.quote_ident(sn.nspname) || '.' || o.oprname || ')'
          FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace sn ON sn.oid = o.oprnamespace WHERE o.oid = a.aggsortop) END AS "sortOperator",
       a.aggmtransfn::text AS "movingTransition", a.aggminvtransfn::text AS "movingInverse",
       CASE WHEN a.aggmtranstype <> 0 THEN pg_catalog.format_type(a.aggmtranstype, NULL) END AS "movingState",
       a.aggmtransspace AS "movingSpace", a.aggmfinalfn::text AS "movingFinal", a.aggmfinalextra AS "movingFinalExtra",
       a.aggmfinalmodify::text AS "movingFinalModify", a.aggminitval AS "movingInitial", p.proparallel::text AS parallel
  FROM pg_catalog.pg_aggregate a JOIN pg_catalog.pg_proc p ON p.oid = a.aggfnoid
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE ${USER_SCHEMA}`;

const MODIFY: Readonly<Record<string, string>> = { r: 'READ_ONLY', s: 'SHAREABLE', w: 'READ_WRITE' };
const PARALLEL: Readonly<Record<string, string>> = { s: 'SAFE', r: 'RESTRICTED', u: 'UNSAFE' };

async function readAggregates(inventory: Inventory): Promise<void> {
  for (const row of await inventory.session.query<AggregateRow>(AGGREGATES, [], inventory.signal)) {
    const identity = row.identity === '' ? '*' : row.identity;
    enter(
      inventory,
      {
        address: row.address,
        label: `AGGREGATE ${row.label}(${identity})`,
        rank: RANKS.FUNCTION,
        phase: 'BEFORE',
        statements: [{ sql: aggregateStatement(row) }],
        drop: `DROP AGGREGATE IF EXISTS ${row.name}(${identity})`,
      },
      `AGGREGATE ${row.name}(${identity})`,
    );
  }
}

function aggregateStatement(row: AggregateRow): string {
  const option = (name: string, value: string | null): string[] =>
    value === null || value === '-' ? [] : [`${name} = ${value}`];
  const text = (value: string | null): string | null => (value === null ? null : quoteText(value));
  const size = (value: number): string | null => (value === 0 ? null : String(value));
  // Left out where it is what PostgreSQL assumes.
  const assumed = row.kind === 'n' ? 'r' : 'w';
  const modify = (value: string | null): string | null =>
    value === null || value === assumed ? null : (MODIFY[value] ?? null);
  const parts = [
    ...option('SFUNC', row.transition),
    ...option('STYPE', row.state),
    ...option('SSPACE', size(row.space)),
    ...option('FINALFUNC', row.final),
    ...(row.finalExtra ? ['FINALFUNC_EXTRA'] : []),
    ...option('FINALFUNC_MODIFY', row.final === '-' ? null : modify(row.finalModify)),
    ...option('COMBINEFUNC', row.combine),
    ...option('SERIALFUNC', row.serial),
    ...option('DESERIALFUNC', row.deserial),
    ...option('INITCOND', text(row.initial)),
    ...option('MSFUNC', row.movingTransition),
    ...option('MINVFUNC', row.movingInverse),
    ...option('MSTYPE', row.movingState),
    ...option('MSSPACE', size(row.movingSpace)),
    ...option('MFINALFUNC', row.movingFinal),
    ...(row.movingFinalExtra ? ['MFINALFUNC_EXTRA'] : []),
    ...option('MFINALFUNC_MODIFY', row.movingFinal === '-' ? null : modify(row.movingFinalModify)),
    ...option('MINITCOND', text(row.movingInitial)),
    ...option('SORTOP', row.sortOperator),
    ...(row.parallel === 'u' ? [] : option('PARALLEL', PARALLEL[row.parallel] ?? null)),
    ...(row.kind === 'h' ? ['HYPOTHETICAL'] : []),
  ];
  return `CREATE AGGREGATE ${row.name}(${row.arguments === '' ? '*' : row.arguments}) (\n    ${parts.join(',\n    ')}\n)`;
}
