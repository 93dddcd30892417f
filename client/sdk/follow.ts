/** Events that go on by themselves when the connection breaks or the server starts anew. */
import { BackOff } from './back-off.ts';
import { HoldfastRequestError } from './errors.ts';
import type { EventTransport, RecordEvent } from './event-stream.ts';
import { RecordProgressDocument, type RecordStatus, WorkspaceEventsDocument } from './generated/graphql.ts';

/** Attempts to reach a server that never answered, before its address is taken for wrong. */
const ATTEMPTS_TO_REACH = 5;
/** Attempts that may meet a fault of the server's own, in a row, before it is reported. */
const ATTEMPTS_AT_FAULT = 5;

/** How the events of a record are followed. */
export interface FollowRecordOptions extends FollowOptions {
  /** The sequence of the last event already seen; only what came after it is told again. */
  readonly afterSequence?: number | undefined;
}

/** How events are followed. */
export interface FollowOptions {
  /** Stops following; the iteration then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How events travel; 'websocket' when left out. Use 'sse' where WebSockets are blocked. */
  readonly transport?: 'websocket' | 'sse' | undefined;
}

/** Decides after a failed attempt whether another one may succeed. */
class Perseverance {
  readonly #backOff = new BackOff();
  #reached = false;

  /** The server accepted a connection: its address is right. */
  reached(): void {
    this.#reached = true;
  }

  /** The server told something new. */
  progressed(): void {
    this.#backOff.reset();
  }

  /** @throws `error` when trying again is no use, the signal's reason when it is aborted. */
  async afterFailure(error: unknown, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#mayPass(error)) throw error;
    await this.#backOff.wait(signal);
  }

  #mayPass(error: unknown): boolean {
    if (!(error instanceof HoldfastRequestError)) return false;
    const attempts = this.#backOff.failures + 1;
    switch (error.code) {
      case 'CONNECTION':
        return this.#reached || attempts < ATTEMPTS_TO_REACH;
      case 'INTERNAL':
        return attempts < ATTEMPTS_AT_FAULT;
      case 'RATE_LIMITED':
        return true;
      default:
        return false;
    }
  }
}

const ENDED: ReadonlySet<RecordStatus> = new Set(['SUCCEEDED', 'FAILED', 'CANCELED']);

/** Sorts out what a new connection tells again, and knows where to go on. */
class RecordCursor {
  readonly #asked: number | null;
  /** Sequence of the last event that was passed on. */
  #last: number | undefined;
  /** Nothing but the snapshot of an ended record came: its final event is only told to who asks from the start. */
  #awaitsFinalEvent = false;
  #exhausted = false;

  constructor(afterSequence: number | undefined) {
    this.#asked = afterSequence ?? null;
  }

  /** Where the next connection goes on; null for the present state. */
  get afterSequence(): number | null {
    if (this.#awaitsFinalEvent) return null;
    return this.#last ?? this.#asked;
  }

  /** Whether a subscription that is complete now has told everything. */
  get exhausted(): boolean {
    return this.#exhausted && !this.#awaitsFinalEvent;
  }

  /** Whether the event is news; remembers it if so. */
  take(event: RecordEvent): boolean {
    const last = this.#last;
    const isFirst = last === undefined;
    const isNews = isFirst || event.__typename === 'RecordFinished' || isAfter(event, last);
    if (isNews) {
      this.#last = event.sequence;
      this.#awaitsFinalEvent =
        isFirst && this.#asked === null && event.__typename === 'RecordSnapshot' && hasEnded(event);
    }
    this.#exhausted = hasEnded(event) && (this.#last ?? 0) >= event.record.lastSequence;
    return isNews;
  }
}

const hasEnded = ({ record }: RecordEvent): boolean => ENDED.has(record.status);

const isAfter = (event: RecordEvent, last: number): boolean =>
  event.__typename === 'PhaseProgressed' ? event.sequence >= last : event.sequence > last;

async function* recordEvents(
  transport: EventTransport,
  recordId: string,
  cursor: RecordCursor,
  signal: AbortSignal,
): AsyncGenerator<RecordEvent, void, undefined> {
  const query = RecordProgressDocument.toString();
  const perseverance = new Perseverance();
  for (;;) {
    let failure: unknown = interrupted();
    try {
      const variables = { recordId, afterSequence: cursor.afterSequence };
      for await (const event of transport({ query, variables, field: 'recordProgress' }, signal, () =>
        perseverance.reached(),
      )) {
        signal.throwIfAborted();
        if (!cursor.take(event)) continue;
        perseverance.progressed();
        yield event;
        if (event.__typename === 'RecordFinished') return;
      }
      if (cursor.exhausted) return;
    } catch (error) {
      failure = error;
    }
    await perseverance.afterFailure(failure, signal);
  }
}

async function* workspaceEvents(
  transport: EventTransport,
  signal: AbortSignal,
): AsyncGenerator<RecordEvent, void, undefined> {
  const query = WorkspaceEventsDocument.toString();
  const perseverance = new Perseverance();
  for (;;) {
    let failure: unknown = interrupted();
    try {
      for await (const event of transport({ query, variables: {}, field: 'workspaceEvents' }, signal, () =>
        perseverance.reached(),
      )) {
        signal.throwIfAborted();
        perseverance.progressed();
        yield event;
      }
    } catch (error) {
      failure = error;
    }
    await perseverance.afterFailure(failure, signal);
  }
}

/** The server completed the subscription although more must follow: it is going down. */
function interrupted(): HoldfastRequestError {
  return new HoldfastRequestError('CONNECTION', 'The server ended the subscription before its end.');
}

/**
 * Makes an iterable whose `return()` takes effect at once. That of a bare generator would wait for the event
 * that the generator waits for.
 */
function stoppable(
  outer: AbortSignal | undefined,
  start: (signal: AbortSignal) => AsyncGenerator<RecordEvent, void, undefined>,
): AsyncIterable<RecordEvent> {
  return {
    [Symbol.asyncIterator]() {
      const stopped = new AbortController();
      const events = start(outer === undefined ? stopped.signal : AbortSignal.any([outer, stopped.signal]));
      return {
        async next() {
          try {
            return await events.next();
          } catch (error) {
            if (stopped.signal.aborted) return { done: true, value: undefined };
            throw error;
          }
        },
        async return() {
          stopped.abort();
          // What it was waiting for ends by the abortion, which is no news to whoever asked for it.
          await events.return().catch(() => {});
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/** Follows one record: see {@link HoldfastClient.followRecord}. */
export function followRecord(
  transport: EventTransport,
  recordId: string,
  { afterSequence, signal }: FollowRecordOptions,
): AsyncIterable<RecordEvent> {
  return stoppable(signal, (both) =>
    recordEvents(transport, recordId, new RecordCursor(afterSequence), both),
  );
}

/** Follows everything that moves: see {@link HoldfastClient.followWorkspace}. */
export function followWorkspace(
  transport: EventTransport,
  { signal }: FollowOptions,
): AsyncIterable<RecordEvent> {
  return stoppable(signal, (both) => workspaceEvents(transport, both));
}
