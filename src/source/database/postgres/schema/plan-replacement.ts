/** Finds what of a database has to go so that the structure of a backup can be made, and what comes back afterwards. */
import { DatabaseError } from 'pg';
import { HoldfastError } from '../../../../errors.ts';
import type { SchemaScript, SchemaStatement } from '../../../schema-script.ts';
import type { DatabaseRestoreRequest } from '../../../source.ts';
import { tableKey } from '../quote.ts';
import type { PostgresSession } from '../session.ts';
import { type Comparison, followNeeds, type Going, isHeld } from './follow-needs.ts';
import { formerOwners } from './owners.ts';
import { readLiveSchema, statementsOf } from './read-schema.ts';
import type { Address, SchemaObject } from './schema-object.ts';

/** What is to be done around the script. */
export interface Replacement {
  /** In order: what needs others goes first. */
  readonly drops: readonly SchemaStatement[];
  /** Objects of the script that stand as they should. */
  readonly keep: ReadonlySet<string>;
  /** What the script does not know and had to go for a moment. */
  readonly putBack: readonly SchemaStatement[];
  /** Gives what was replaced to whom it belonged. */
  readonly owners: readonly SchemaStatement[];
}

/**
 * Compares object by object. What differs goes, what belongs to a replaced table and is not in the script goes too,
 * and whatever needs something that goes. Bodies of functions are replaced in place where PostgreSQL allows it.
 * @throws HoldfastError SCHEMA_MISMATCH naming what would lose rows, or cannot be put back.
 */
export async function planReplacement(
  session: PostgresSession,
  script: SchemaScript,
  request: DatabaseRestoreRequest,
  signal: AbortSignal,
): Promise<Replacement> {
  const live = await readLiveSchema(session, signal);
  const wanted = new Map<string, string[]>();
  for (const { object, sql } of [...script.before, ...script.after]) {
    const statements = wanted.get(object);
    if (statements === undefined) wanted.set(object, [sql]);
    else statements.push(sql);
  }
  const comparison = { live, wanted, requested: new Set(request.tables.map(tableKey)) };
  const replaced = await replaceBodies(session, comparison, signal);
  const { going, withParent } = followNeeds(comparison, findDifferent(comparison, replaced));
  refuseLosses(comparison, going);
  await refusePublished(session, going, signal);
  const { ordered } = live;
  const gone = goneForGood(comparison, going);
  const drops = [...ordered].reverse().flatMap((object): SchemaStatement[] => {
    if (!going.has(object.address) || object.drop === undefined || object.drop === '') return [];
    if (withParent.has(object.address) || goesAlong(comparison, going, object)) return [];
    return [{ object: object.label, sql: object.drop }];
  });
  const putBack = ordered.filter(
    (object) => going.has(object.address) && !wanted.has(object.label) && !gone.has(object.address),
  );
  const keep = ordered.filter((object) => wanted.has(object.label) && !going.has(object.address));
  return {
    drops,
    keep: new Set(keep.map((object) => object.label)),
    putBack: putBack.flatMap(statementsOf),
    owners: await formerOwners(
      live,
      ordered.filter((object) => going.has(object.address) && !gone.has(object.address)),
      signal,
    ),
  };
}

/** The object that something is part of, however indirectly; itself when it stands alone. */
function rootOf({ live }: Comparison, object: SchemaObject): SchemaObject {
  let root = object;
  for (let up = root.partOf; up !== undefined; up = root.partOf) {
    const whole = live.inventory.objects.get(live.owner(up) ?? '');
    if (whole === undefined || whole === root) break;
    root = whole;
  }
  return root;
}

/** True when dropping what it is part of drops it too: nothing else that it needs goes, and could be first. */
function goesAlong(comparison: Comparison, going: Going, object: SchemaObject): boolean {
  const { live } = comparison;
  const root = rootOf(comparison, object);
  if (root === object || !going.has(root.address)) return false;
  return [...(live.needs.get(object.address) ?? [])].every((address) => {
    const need = live.inventory.objects.get(address);
    return need === undefined || !going.has(address) || rootOf(comparison, need) === root;
  });
}

function sameAsWanted({ wanted }: Comparison, object: SchemaObject): boolean {
  const [is, should] = [object.statements, wanted.get(object.label) ?? []];
  return is.length === should.length && is.every((statement, n) => statement.sql === should[n]);
}

function findDifferent(comparison: Comparison, replaced: ReadonlySet<Address>): Going {
  const { live, wanted } = comparison;
  const going: Going = new Map();
  for (const object of live.ordered) {
    const root = rootOf(comparison, object);
    // New objects get privileges by default: these must not add to those of the backup.
    const always = object.label.startsWith('DEFAULT PRIVILEGES ');
    const known = wanted.has(object.label);
    const differs = known && !sameAsWanted(comparison, object) && !replaced.has(object.address);
    const added = !known && root !== object && wanted.has(root.label);
    if (always || ((differs || added) && !isHeld(comparison, root))) {
      going.set(object.address, object.address);
    }
  }
  return going;
}

function refuseLosses(comparison: Comparison, going: Going): void {
  const { live, wanted } = comparison;
  const { objects, dependencies } = live.inventory;
  const mismatch = (what: string, why: Address | undefined): HoldfastError =>
    new HoldfastError(
      'SCHEMA_MISMATCH',
      `${what} stands in the way: it needs ${objects.get(why ?? '')?.label ?? 'something'}, which has to be replaced.`,
      {
        hint: 'Drop or change it first, restore it as well, or restore into an empty database.',
      },
    );
  for (const [address, why] of going) {
    const object = objects.get(address);
    if (object === undefined) continue;
    const losesRows = object.table !== undefined && (isHeld(comparison, object) || !wanted.has(object.label));
    if (object.drop !== undefined && !losesRows) continue;
    if (address !== why) throw mismatch(object.label, why);
    throw new HoldfastError('SCHEMA_MISMATCH', `${object.label} differs and cannot be replaced.`, {
      hint: 'Change it by hand, or restore into an empty database.',
    });
  }
  for (const { from, to } of dependencies) {
    const on = live.owner(to);
    if (on !== undefined && going.has(on) && live.owner(from) === undefined) throw mismatch(from, on);
  }
}

/** Publications forget a table that is dropped. */
async function refusePublished(session: PostgresSession, going: Going, signal: AbortSignal): Promise<void> {
  const [row] = await session.query<{ publication: string; table: string }>(
    `SELECT p.pubname::text AS publication, r.prrelid::regclass::text AS table
       FROM pg_catalog.pg_publication_rel r JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
      WHERE 'pg_class/' || r.prrelid = ANY($1::text[]) ORDER BY 1, 2 LIMIT 1`,
    [[...going.keys()]],
    signal,
  );
  if (row === undefined) return;
  throw new HoldfastError(
    'SCHEMA_MISMATCH',
    `The publication ${row.publication} names the table ${row.table}, which has to be replaced.`,
    { hint: `ALTER PUBLICATION … DROP TABLE ${row.table} first, and add it again afterwards.` },
  );
}

/** What the script does not know and belongs to something that it makes, or to such a thing. */
function goneForGood(comparison: Comparison, going: Going): Set<Address> {
  const { live, wanted } = comparison;
  const gone = new Set<Address>();
  for (const object of live.ordered) {
    if (!going.has(object.address) || wanted.has(object.label)) continue;
    const root = rootOf(comparison, object);
    if (root !== object && wanted.has(root.label) && !isHeld(comparison, root)) gone.add(object.address);
  }
  return gone;
}

/** Functions whose result stays the same are replaced where they stand, so that nothing that calls them has to go. */
async function replaceBodies(
  session: PostgresSession,
  comparison: Comparison,
  signal: AbortSignal,
): Promise<Set<Address>> {
  const replaced = new Set<Address>();
  for (const object of comparison.live.ordered) {
    if (!/^(FUNCTION|PROCEDURE) /.test(object.label)) continue;
    const [sql] = comparison.wanted.get(object.label) ?? [];
    if (sql === undefined || sameAsWanted(comparison, object)) continue;
    await session.execute('SAVEPOINT holdfast_body', signal);
    try {
      await session.executeOne(sql, signal);
      replaced.add(object.address);
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error;
      await session.execute('ROLLBACK TO SAVEPOINT holdfast_body', signal);
    }
    await session.execute('RELEASE SAVEPOINT holdfast_body', signal);
  }
  return replaced;
}
