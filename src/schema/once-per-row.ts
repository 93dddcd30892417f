/**
 * Relations of rows that came without them: records of events and of mutations. An event's row is one object for
 * all its subscribers, so what is read for it is kept with it: one query an event, however many listen.
 */
const kept = new WeakMap<object, Map<string, Promise<unknown>>>();

/**
 * What `read` resolves to, read once for each row and selection.
 * @param query the selection of the Prisma plugin; part of the key
 */
export function oncePerRow<T>(row: object, name: string, query: object, read: () => Promise<T>): Promise<T> {
  let relations = kept.get(row);
  if (relations === undefined) {
    relations = new Map();
    kept.set(row, relations);
  }
  const key = `${name} ${JSON.stringify(query)}`;
  const known = relations.get(key);
  // Only this function fills the map, and the name decides the type of what is read.
  if (known !== undefined) return known as Promise<T>;
  const reading = read();
  relations.set(key, reading);
  // A failure is told to those who wait for it and not remembered.
  reading.catch(() => relations.delete(key));
  return reading;
}
