/** The frame of every subscription: listens first, and stops listening the moment the consumer is gone. */
import { Repeater } from '@repeaterjs/repeater';
import type { RecordRepository } from '../catalog/catalog.ts';
import { Mailbox } from './mailbox.ts';
import type { RecordEvent, RecordEventSource } from './record-event.ts';

/** What following needs. */
export interface FollowParts {
  readonly records: Pick<RecordRepository, 'find' | 'running' | 'eventsAfter'>;
  readonly source: RecordEventSource;
}

/** Delivers one event; resolves when the consumer asks for the next. */
export type Push = (event: RecordEvent) => Promise<unknown>;

/**
 * An iterable whose events `produce` makes from a mailbox that listens already. Listening begins with the first
 * `next()` and ends with `return()`, with the signal or with `produce`, whichever comes first; `produce` has to
 * look at `mailbox.closed` after every wait.
 *
 * A Repeater and not an async generator: the `return()` of a generator that waits for an event would wait too.
 */
export function subscription(
  listen: (deliver: (event: RecordEvent) => void) => () => void,
  produce: (mailbox: Mailbox, push: Push) => Promise<void>,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<RecordEvent> {
  return new Repeater<RecordEvent>(async (push, stop) => {
    const mailbox = new Mailbox();
    const unlisten = listen((event) => mailbox.put(event));
    const end = (): void => {
      unlisten();
      mailbox.close();
    };
    const abort = (): void => stop();
    // `stop` is also a promise: it resolves when the consumer returns.
    void stop.then(end);
    signal?.addEventListener('abort', abort);
    if (signal?.aborted) stop();
    try {
      await produce(mailbox, push);
    } finally {
      end();
      signal?.removeEventListener('abort', abort);
      stop();
    }
  });
}
