/** Looks how much a stream of chunks holds before it is used. */

/** A stream that was looked into. */
export interface Peeked {
  /** It holds more than was asked for; what is read is in memory until then. */
  readonly more: boolean;
  /** All of it, from the first byte on. */
  readonly all: AsyncIterable<Buffer>;
  /** Ends the stream, read to its end or not. */
  close(): Promise<void>;
}

/** Reads up to `bytes` and a chunk of `chunks`. */
export async function peek(chunks: AsyncIterable<Buffer>, bytes: number): Promise<Peeked> {
  const iterator = chunks[Symbol.asyncIterator]();
  const head: Buffer[] = [];
  let read = 0;
  let more = true;
  while (more && read <= bytes) {
    const next = await iterator.next();
    if (next.done === true) {
      more = false;
    } else {
      head.push(next.value);
      read += next.value.length;
    }
  }
  return {
    more,
    all: resume(head, iterator),
    close: async () => {
      await iterator.return?.();
    },
  };
}

async function* resume(head: Buffer[], iterator: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  for (let chunk = head.shift(); chunk !== undefined; chunk = head.shift()) yield chunk;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}
