/** Feeds `COPY … FROM STDIN`, one chunk at a time, as fast as the server takes them. */
import type { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { abortError } from '../../../errors.ts';

/** The most bytes of one CopyData message. */
const MESSAGE_BYTES = 1024 * 1024;

/**
 * Sends everything `source` yields; returns the number of rows the server took. After any error that is not the
 * server's own the connection is in the middle of a COPY and of no further use.
 *
 * Written out instead of pipeline(): destroying the stream of pg-copy-streams waits for an answer of the server,
 * which never comes once the server has refused a row or the connection is gone.
 */
export async function feedCopy(
  client: Client,
  sql: string,
  source: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<number> {
  const stream = client.query(copyFrom(sql, { highWaterMark: 256 * 1024 }));
  let failure: unknown;
  let wake = (): void => {};
  const fail = (error: unknown): void => {
    failure ??= error;
    wake();
  };
  const until = async (event: 'drain' | 'finish'): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    stream.once(event, resolve);
    if (failure === undefined) await promise;
    stream.removeListener(event, resolve);
    if (failure !== undefined) throw failure;
  };
  const onEnd = (): void => fail(new Error('Connection terminated'));
  const onAbort = (): void => fail(abortError(signal));
  stream.on('error', fail);
  client.once('end', onEnd);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for await (const chunk of source) {
      // The server takes a message into memory whole; a row may be hundreds of megabytes.
      for (let start = 0; start < chunk.length; start += MESSAGE_BYTES) {
        if (failure !== undefined) throw failure;
        if (!stream.write(chunk.subarray(start, start + MESSAGE_BYTES))) await until('drain');
      }
    }
    stream.end();
    await until('finish');
    return stream.rowCount;
  } finally {
    signal.removeEventListener('abort', onAbort);
    client.removeListener('end', onEnd);
  }
}
