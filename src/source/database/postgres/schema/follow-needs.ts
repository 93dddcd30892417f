/** Which objects have to go because others do. */
import { tableKey } from '../quote.ts';
import type { LiveSchema } from './read-schema.ts';
import type { Address, SchemaObject } from './schema-object.ts';

/** How the live database relates to the script. */
export interface Comparison {
  readonly live: LiveSchema;
  /** The statements of the script, by object. */
  readonly wanted: ReadonlyMap<string, readonly string[]>;
  /** Keys of the tables whose rows are restored. */
  readonly requested: ReadonlySet<string>;
}

/** What goes, each with what it goes for (itself when it differs). */
export type Going = Map<Address, Address>;

/** True when the rows of a table are not in the bundle or not asked for: it stays as it is. */
export function isHeld({ requested }: Comparison, object: SchemaObject | undefined): boolean {
  if (object?.table === undefined || object.table.partitioned) return false;
  return !requested.has(tableKey(object.table));
}

/** Adds whatever needs something that goes, and partitions and their indexes that go with what they are part of. */
export function followNeeds(
  comparison: Comparison,
  going: Going,
): { readonly going: Going; readonly withParent: ReadonlySet<Address> } {
  const { live } = comparison;
  const dependents = dependentsOf(comparison);
  const withParent = new Set<Address>();
  const queue = [...going.keys()];
  const ties = live.ordered.filter((object) => object.label.startsWith('INDEX PARTITION '));
  const go = (address: Address, why: Address): void => {
    if (going.has(address)) return;
    going.set(address, going.get(why) ?? why);
    queue.push(address);
  };
  do {
    for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
      for (const dependent of dependents.get(at) ?? []) go(dependent, at);
    }
    for (const tie of ties) {
      const [child, parent, partition] = (tie.needs ?? []).map((address) => live.owner(address));
      if (child === undefined || parent === undefined || partition === undefined) continue;
      // A partition that is taken out keeps its index; otherwise that is dropped with the whole one.
      if (!going.has(parent) || going.has(partition) || withParent.has(child)) continue;
      withParent.add(child);
      go(child, parent);
    }
  } while (queue.length > 0);
  return { going, withParent };
}

function dependentsOf(comparison: Comparison): Map<Address, Address[]> {
  const { live } = comparison;
  const dependents = new Map<Address, Address[]>();
  const depends = (from: Address, on: Address): void => {
    const list = dependents.get(on);
    if (list === undefined) dependents.set(on, [from]);
    else list.push(from);
  };
  for (const [from, needs] of live.needs) for (const on of needs) depends(from, on);
  for (const object of live.ordered) {
    // Partitions that are restored anyway go with their table; others are taken out of it and put back.
    if (!object.label.startsWith('PARTITION ') || object.partOf === undefined) continue;
    const child = live.inventory.objects.get(object.partOf);
    if (child === undefined || isHeld(comparison, child) || !comparison.wanted.has(child.label)) continue;
    for (const parent of object.needs ?? []) depends(child.address, parent);
  }
  return dependents;
}
