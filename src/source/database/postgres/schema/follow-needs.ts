/** Which objects have to go because others do. */
import { tableKey } from '../quote.ts';
import type { LiveSchema } from './read-schema.ts';
import { type Address, RANKS, type SchemaObject } from './schema-object.ts';

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
    for (const index of indexesOverNewPartitions(comparison, going)) go(index, index);
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
    // The sequence of a column is dropped with its table.
    if (object.label.startsWith('SEQUENCE ') && object.partOf !== undefined) {
      depends(object.address, object.partOf);
    }
  }
  for (const object of live.ordered) {
    // Partitions that are restored anyway go with their table; others are taken out of it and put back.
    if (!object.label.startsWith('PARTITION ') || object.partOf === undefined) continue;
    const child = live.inventory.objects.get(object.partOf);
    if (child === undefined || isHeld(comparison, child) || !comparison.wanted.has(child.label)) continue;
    for (const parent of object.needs ?? []) depends(child.address, parent);
  }
  return dependents;
}

/**
 * Keys and indexes of partitioned tables that stay and get partitions made anew: a partition that is attached to a
 * table with indexes gets some by itself, of other names than those of the backup.
 */
function* indexesOverNewPartitions(comparison: Comparison, going: Going): Generator<Address> {
  const { live, wanted } = comparison;
  const { objects, targets } = live.inventory;
  const byLabel = new Map(live.ordered.map((object) => [object.label, object]));
  const tables = new Map(
    live.ordered
      .filter((object) => object.table !== undefined)
      .map((object) => [targets.get(object.address)?.text.replace(/^TABLE /, ''), object.address]),
  );
  const parents = new Set<Address>();
  for (const [label, [sql]] of wanted) {
    if (!label.startsWith('PARTITION ')) continue;
    const standing = byLabel.get(label)?.partOf;
    if (standing !== undefined && !going.has(standing)) continue;
    const parent = tables.get(/^ALTER TABLE ONLY (.*?) ATTACH PARTITION /s.exec(sql ?? '')?.[1]);
    // Upwards too: the index of a partition goes only with the whole one.
    for (let at = parent; at !== undefined && !parents.has(at); at = partitionedBy(objects, at)) {
      parents.add(at);
    }
  }
  for (const object of live.ordered) {
    if (object.rank !== RANKS.KEY && object.rank !== RANKS.INDEX) continue;
    if (object.partOf !== undefined && parents.has(object.partOf)) yield object.address;
  }
}

/** The table that a partition is a part of. */
function partitionedBy(objects: ReadonlyMap<Address, SchemaObject>, table: Address): Address | undefined {
  return objects.get(`partition/${table}`)?.needs?.[0];
}
