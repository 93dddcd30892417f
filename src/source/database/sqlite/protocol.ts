/**
 * What the service and the process that holds a SQLite database say to each other, over the process's stdin and
 * stdout. A frame is one byte of kind, four bytes of length (little endian) and the payload. The process does one
 * request at a time:
 *
 * - most requests: one MESSAGE there, one MESSAGE (the reply) back;
 * - `rows`: the process sends DATA frames, each against one credit that `more` granted, then the reply;
 *   `stop` ends it early;
 * - `load`: the service sends DATA frames and then `end`; the reply may come sooner when a row is refused.
 */
import type { ErrorCode } from '../../../errors.ts';
import type { SchemaScript } from '../../schema-script.ts';
import type { DatabaseDescription, DatabaseRestoreRequest, SequenceState } from '../../source.ts';

/** First byte of a frame. */
export const FRAME = { MESSAGE: 1, DATA: 2 } as const;

/** Bytes before the payload of a frame. */
export const FRAME_HEADER_BYTES = 5;

/** How many DATA frames the process may be ahead of the reader. */
export const ROW_CREDITS = 4;

/** Every request with its answer. */
export interface Requests {
  describe: { ask: object; answer: DatabaseDescription };
  countRows: { ask: { tables: readonly string[] }; answer: readonly number[] };
  beginSnapshot: { ask: object; answer: { description: DatabaseDescription; instant: string } };
  rows: { ask: { table: string; columns: readonly string[] }; answer: null };
  sequences: { ask: { tables: readonly string[] }; answer: readonly SequenceState[] };
  schema: { ask: object; answer: SchemaScript };
  beginRestore: { ask: { request: DatabaseRestoreRequest }; answer: null };
  clear: { ask: object; answer: null };
  load: { ask: { table: string; columns: readonly string[] }; answer: number };
  finish: { ask: { sequences: readonly SequenceState[] }; answer: null };
  mark: { ask: { marker: string }; answer: null };
  commit: { ask: object; answer: null };
  rollback: { ask: object; answer: null };
  settle: { ask: object; answer: null };
  outcome: { ask: { marker: string }; answer: 'COMMITTED' | 'ROLLED_BACK' };
  forget: { ask: { marker: string }; answer: null };
}

/** The name of a request. */
export type Verb = keyof Requests;

/** A request as it travels. */
export type Request = { [V in Verb]: { verb: V } & Requests[V]['ask'] }[Verb];

/** Words within `rows` and `load`. */
export type Control = { readonly more: number } | { readonly stop: true } | { readonly end: true };

/** The answer as it travels. */
export type Reply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly hint?: string };

/** The header of a frame. */
export function frameHeader(kind: number, length: number): Buffer {
  const header = Buffer.allocUnsafe(FRAME_HEADER_BYTES);
  header[0] = kind;
  header.writeUInt32LE(length, 1);
  return header;
}

/** A MESSAGE frame. */
export function messageFrame(message: Request | Control | Reply): Buffer {
  const payload = Buffer.from(JSON.stringify(message));
  return Buffer.concat([frameHeader(FRAME.MESSAGE, payload.length), payload]);
}
