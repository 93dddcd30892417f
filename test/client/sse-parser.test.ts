import { expect, test } from 'vitest';
import { type SseMessage, sseMessages } from '../../client/sdk/sse-parser.ts';

async function parse(text: string, chunkSize: number): Promise<SseMessage[]> {
  const bytes = new TextEncoder().encode(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += chunkSize) yield bytes.subarray(at, at + chunkSize);
  }
  const messages: SseMessage[] = [];
  for await (const message of sseMessages(chunks())) messages.push(message);
  return messages;
}

test.each([1, 2, 3, 7, 1000])('reads messages cut into chunks of %i bytes', async (chunkSize) => {
  const text =
    ':\n\nevent: next\ndata: {"a":"ü"}\n\n' +
    'event:complete\r\ndata\r\n\r\n' +
    ': ping\n\ndata: one\ndata:  two\n\nevent: next\ndata: cut off';
  expect(await parse(text, chunkSize)).toEqual([
    { event: 'next', data: '{"a":"ü"}' },
    { event: 'complete', data: '' },
    { event: 'message', data: 'one\n two' },
  ]);
});
