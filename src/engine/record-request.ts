import type { Json, RecordRow } from '../catalog/catalog.ts';

/**
 * The request a record was created with. The type is the caller's word: each kind of record writes its request in
 * the file that reads it, and nobody else writes one.
 */
export function readRequest<T extends object>(record: Pick<RecordRow, 'request'>): T {
  // Written by toRequest of the same type; JSON loses nothing of it.
  return record.request as unknown as T;
}

/** A request as it is stored. */
export function toRequest<T extends object>(request: T): Json {
  // Requests are plain data; the round trip drops what JSON does not have.
  return JSON.parse(JSON.stringify(request)) as Json;
}
