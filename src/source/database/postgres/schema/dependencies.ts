/** Reads pg_depend, and says for each row of the catalog which object of the script it belongs to. */
import type { PostgresSession } from '../session.ts';
import type { Address, Dependency, Inventory } from './schema-object.ts';

/** Objects below this id came with initdb. */
const FIRST_OWN_ID = 16_384;

const DEPENDENCIES = `
SELECT d.classid::regclass::text || '/' || d.objid AS "from", d.refclassid::regclass::text || '/' || d.refobjid AS "to",
       d.deptype::text AS kind, d.objsubid AS "fromColumn", d.refobjsubid AS "toColumn"
  FROM pg_catalog.pg_depend d
 WHERE d.objid >= ${FIRST_OWN_ID} AND d.refobjid >= ${FIRST_OWN_ID}`;

/** Every dependency between objects that did not come with the server. */
export function readDependencies(session: PostgresSession, signal: AbortSignal): Promise<Dependency[]> {
  return session.query<Dependency>(DEPENDENCIES, [], signal);
}

/** Which objects extensions brought; parts of them (row types, array types, indexes) included. */
export function extensionMembers(dependencies: readonly Dependency[]): Map<Address, Address> {
  const members = new Map<Address, Address>();
  for (const { from, to, kind } of dependencies) if (kind === 'e') members.set(from, to);
  fold(dependencies, ['i', 'a'], (address) => members.get(address), members);
  return members;
}

/**
 * For each object the objects it needs. Parts that have no statement of their own (row types, defaults, internal
 * triggers, indexes of keys) count as what they are part of.
 */
export function resolveNeeds(inventory: Inventory): {
  readonly needs: Map<Address, Set<Address>>;
  /** The object an address belongs to. */
  readonly owner: (address: Address) => Address | undefined;
} {
  const { objects, dependencies, aliases, ofExtension } = inventory;
  const folded = new Map<Address, Address>();
  const owner = (address: Address): Address | undefined => {
    let at = address;
    for (let up = aliases.get(at); up !== undefined && !objects.has(at); up = aliases.get(at)) at = up;
    return objects.has(at) ? at : (folded.get(at) ?? ofExtension.get(at));
  };
  for (const kinds of [['i'], ['P'], ['i', 'a', 'S']]) fold(dependencies, kinds, owner, folded);
  const needs = new Map<Address, Set<Address>>();
  const need = (from: Address | undefined, to: Address | undefined): void => {
    if (from === undefined || to === undefined || from === to) return;
    const of = needs.get(from);
    if (of === undefined) needs.set(from, new Set([to]));
    else of.add(to);
  };
  for (const { from, to, kind } of dependencies) {
    if (kind === 'e' || kind === 'x') continue;
    const [a, b] = [objects.get(owner(from) ?? ''), objects.get(owner(to) ?? '')];
    if (a === undefined || b === undefined || isLoose(a.label, b.label, kind)) continue;
    need(a.address, b.address);
  }
  for (const object of objects.values()) {
    for (const to of object.needs ?? []) need(object.address, owner(to));
    if (object.partOf !== undefined && !object.label.startsWith('SEQUENCE ')) {
      need(object.address, owner(object.partOf));
    }
  }
  return { needs, owner };
}

/** Ties that a statement of its own makes: a sequence to its column, a partition to its table, its index to theirs. */
function isLoose(from: string, to: string, kind: string): boolean {
  const isIndex = (label: string): boolean => /^(INDEX|CONSTRAINT) /.test(label);
  if (kind === 'P') return isIndex(from) && isIndex(to);
  if (kind !== 'a') return false;
  const isTable = (label: string): boolean => /^(FOREIGN )?TABLE /.test(label);
  return from.startsWith('SEQUENCE ') || (isTable(from) && isTable(to));
}

/** Lets addresses stand for what they are part of, until nothing is left to be found. */
function fold(
  dependencies: readonly Dependency[],
  kinds: readonly string[],
  owner: (address: Address) => Address | undefined,
  into: Map<Address, Address>,
): void {
  const ties = dependencies.filter((dependency) => kinds.includes(dependency.kind));
  for (let found = true; found; ) {
    found = false;
    for (const { from, to } of ties) {
      if (owner(from) !== undefined) continue;
      const of = owner(to);
      if (of === undefined) continue;
      into.set(from, of);
      found = true;
    }
  }
}
