/** Feeds `COPY … FROM STDIN`, one chunk at a time, as fast as the server takes them. */
import type { Client } from 'pg';
import { abortError } from '../../../errors.ts';
import { CopyIn } from './copy-in.ts';

/** The most bytes of one CopyData message. */
const MESSAGE_BYTES = 1024 * 1024;

/**
 * Sends everything `source` yields; returns the number of rows the server took. The next chunk is asked for while one
 * is on its way, so each must stay as it is until the one after the next is asked for. After any error that is not
 * the server's own the connection is in the middle of a COPY and of no further use.
 */
export async function feedCopy(
  client: Client,
  sql: string,
  source: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<number> {
  const copy = client.query(new CopyIn(sql));
  const onEnd = (): void => copy.handleError(new Error('Connection terminated'));
  const onAbort = (): void => copy.handleError(abortError(signal));
  client.once('end', onEnd);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await copy.begin();
    let sent: Promise<void> = Promise.resolve();
    for await (const chunk of source) {
      await sent;
      sent = sendWhole(copy, chunk);
      // It is heard of at the next chunk, or at the end.
      sent.catch(() => {});
    }
    await sent;
    return await copy.finish();
  } finally {
    signal.removeEventListener('abort', onAbort);
    client.removeListener('end', onEnd);
  }
}

/** The server takes a message into memory whole; a row may be hundreds of megabytes. */
async function sendWhole(copy: CopyIn, chunk: Buffer): Promise<void> {
  for (let start = 0; start < chunk.length; start += MESSAGE_BYTES) {
    await copy.send(chunk.subarray(start, start + MESSAGE_BYTES));
  }
}
