/** The order of statements: what is needed first comes first, and else what people expect. */
import type { Address, SchemaObject } from './schema-object.ts';

/** The order, or the objects of a circle that keeps it from being found. */
export type Order =
  | { readonly ordered: readonly SchemaObject[] }
  | { readonly circle: readonly SchemaObject[] };

/** Depth first from objects sorted by rank and name, so that the same structure gives the same order. */
export function orderObjects(
  objects: ReadonlyMap<Address, SchemaObject>,
  needs: ReadonlyMap<Address, ReadonlySet<Address>>,
): Order {
  const state = new Map<Address, 'OPEN' | 'DONE'>();
  const ordered: SchemaObject[] = [];
  const sorted = sortByRank(objects.values());
  const position = new Map(sorted.map((object, n) => [object.address, n]));
  const required = (object: SchemaObject): SchemaObject[] =>
    [...(needs.get(object.address) ?? [])]
      .flatMap((address) => objects.get(address) ?? [])
      .sort((a, b) => (position.get(a.address) ?? 0) - (position.get(b.address) ?? 0));
  for (const start of sorted) {
    if (state.has(start.address)) continue;
    // A stack of its own: chains of views may be longer than the call stack is deep.
    const stack = [{ object: start, rest: required(start) }];
    state.set(start.address, 'OPEN');
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.rest.shift();
      if (next === undefined) {
        state.set(top.object.address, 'DONE');
        ordered.push(top.object);
        stack.pop();
      } else if (state.get(next.address) === 'OPEN') {
        const from = stack.findIndex((entry) => entry.object.address === next.address);
        return { circle: stack.slice(from).map((entry) => entry.object) };
      } else if (!state.has(next.address)) {
        state.set(next.address, 'OPEN');
        stack.push({ object: next, rest: required(next) });
      }
    }
  }
  return { ordered };
}

/** By rank and label, in the order of code units, which no locale changes. */
function sortByRank(objects: Iterable<SchemaObject>): SchemaObject[] {
  return [...objects].sort((a, b) => {
    if (a.rank !== b.rank) return a.rank - b.rank;
    return a.label < b.label ? -1 : a.label > b.label ? 1 : 0;
  });
}

/** Kinds that have to be there before rows can be loaded. */
const NEEDED_BY_ROWS = /^(TABLE|PARTITION|SEQUENCE|OWNED SEQUENCE|COLUMN DEFAULT) /;

/** Which objects come before the rows: tables, what they need, and what needs nothing that comes later. */
export function beforeRows(
  ordered: readonly SchemaObject[],
  needs: ReadonlyMap<Address, ReadonlySet<Address>>,
): ReadonlySet<Address> {
  const before = new Set<Address>();
  for (const object of [...ordered].reverse()) {
    if (!before.has(object.address) && !NEEDED_BY_ROWS.test(object.label)) continue;
    before.add(object.address);
    for (const address of needs.get(object.address) ?? []) before.add(address);
  }
  for (const object of ordered) {
    if (object.phase === 'AFTER') continue;
    if ([...(needs.get(object.address) ?? [])].every((address) => before.has(address))) {
      before.add(object.address);
    }
  }
  return before;
}
