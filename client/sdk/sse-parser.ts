/** The text/event-stream format. */

/** One message of an event stream. */
export interface SseMessage {
  /** Its type; "message" when it has none. */
  readonly event: string;
  readonly data: string;
}

function readMessage(lines: readonly string[]): SseMessage | undefined {
  let event = 'message';
  const data: string[] = [];
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon === 0) continue;
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') event = value;
    if (name === 'data') data.push(value);
  }
  return data.length === 0 && event === 'message' ? undefined : { event, data: data.join('\n') };
}

/** The messages in a stream of bytes, whichever way it is cut into chunks. A message that is cut off is none. */
export async function* sseMessages(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<SseMessage, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  let lines: string[] = [];
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    // A carriage return at the very end may be the first half of a line end: it waits for the next chunk.
    const complete = rest.split(/\r\n|\n|\r(?!$)/);
    rest = complete.pop() ?? '';
    for (const line of complete) {
      if (line !== '') {
        lines.push(line);
        continue;
      }
      const message = readMessage(lines);
      lines = [];
      if (message !== undefined) yield message;
    }
  }
}
