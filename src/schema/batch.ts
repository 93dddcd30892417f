/**
 * Reads for many parents with one query: what is asked for in one turn of the event loop is read together. Nothing is
 * kept afterwards, since a subscription's context lives long.
 */
import type { SchemaContext } from './context.ts';

/** @param read gives the values of those keys that have one */
export function batched<Key, Value>(
  read: (context: SchemaContext, keys: readonly Key[]) => Promise<ReadonlyMap<Key, Value>>,
): (context: SchemaContext, key: Key) => Promise<Value | null> {
  const open = new WeakMap<SchemaContext, { keys: Set<Key>; values: Promise<ReadonlyMap<Key, Value>> }>();
  return async (context, key) => {
    let batch = open.get(context);
    if (batch === undefined) {
      const keys = new Set<Key>();
      const values = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        open.delete(context);
        return read(context, [...keys]);
      });
      batch = { keys, values };
      open.set(context, batch);
    }
    batch.keys.add(key);
    return (await batch.values).get(key) ?? null;
  };
}
