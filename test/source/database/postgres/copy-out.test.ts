import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { Connection } from 'pg';
import { describe, expect, it } from 'vitest';
import { CopyOut } from '../../../../src/source/database/postgres/copy-out.ts';

function message(code: string, payload: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.write(code, 'latin1');
  header.writeInt32BE(payload.length + 4, 1);
  return Buffer.concat([header, payload]);
}

function field(text: Buffer): Buffer {
  const header = Buffer.alloc(6);
  header.writeInt16BE(1);
  header.writeInt32BE(text.length, 2);
  return Buffer.concat([header, text]);
}

/** `PGCOPY\n\377\r\n\0`, flags, and an extension that a newer server might send. */
const FILE_HEADER = Buffer.concat([
  Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'),
  Buffer.from([0, 0, 0, 0, 0, 0, 0, 3, 7, 7, 7]),
]);
const BEGIN = message('H', Buffer.from([1, 0, 1, 0, 1]));
const END = [
  message('c', Buffer.alloc(0)),
  message('C', Buffer.from('COPY 1\0')),
  message('Z', Buffer.from('I')),
];

/** What pg hands to a query, over a stream of ours. */
function connectionOver(stream: PassThrough): Connection {
  // pg takes a stream; its types do not know that.
  return Object.assign(new Connection({ stream } as object), { query: () => {} });
}

/** Feeds the pieces to a CopyOut; returns what it read and what pg heard. */
async function read(pieces: readonly Buffer[]): Promise<{ rows: Buffer; heard: Buffer }> {
  const stream = new PassThrough();
  const heard: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => heard.push(Buffer.from(chunk)));
  const copy = new CopyOut('COPY');
  copy.submit(connectionOver(stream));
  for (const piece of pieces) stream.write(piece);
  const rows: Buffer[] = [];
  const ended = new Promise<void>((resolve) => {
    const check = (): void => {
      if (Buffer.concat(heard).includes('Z\0\0\0\x05I')) {
        copy.handleReadyForQuery();
        resolve();
      } else {
        setImmediate(check);
      }
    };
    check();
  });
  for (let batch = await copy.next(); batch !== undefined; batch = await copy.next())
    rows.push(Buffer.from(batch));
  await ended;
  return { rows: Buffer.concat(rows), heard: Buffer.concat(heard) };
}

/** Cuts at the given places, which wrap around. */
function cut(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, n = 0; at < bytes.length; n += 1) {
    const length = lengths[n % lengths.length] ?? 1;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

describe('what COPY TO STDOUT sends', () => {
  it('becomes row lines wherever the network cuts it, with notices in between', async () => {
    const row = fc.oneof(
      fc.string({ maxLength: 60 }),
      fc.integer({ min: 250_000, max: 600_000 }).map((length) => 'long '.repeat(length / 5)),
    );
    const notice = message('N', Buffer.from('SNOTICE\0\0'));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(row, fc.boolean()), { maxLength: 30 }),
        fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 70_000 })), {
          minLength: 1,
        }),
        async (rows, lengths) => {
          const sent = rows.flatMap(([text, noticed]) => [
            ...(noticed ? [notice] : []),
            message('d', field(Buffer.from(text))),
          ]);
          const bytes = Buffer.concat([
            BEGIN,
            message('d', FILE_HEADER),
            ...sent,
            message('d', Buffer.from([255, 255])),
            ...END,
          ]);
          const small = bytes.length > 100_000 ? lengths.map((length) => length + 1_000) : lengths;
          const result = await read(cut(bytes, small));
          expect(result.rows.toString()).toBe(rows.map(([text]) => `${text}\n`).join(''));
          const notices = rows.filter(([, noticed]) => noticed).map(() => notice);
          expect(result.heard).toEqual(Buffer.concat([BEGIN, ...notices, ...END]));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('need not put a row into one message, nor the header into one of its own', async () => {
    const bytes = Buffer.concat([
      FILE_HEADER,
      field(Buffer.from('{"a":1}')),
      field(Buffer.from('{}')),
      Buffer.from([255, 255]),
    ]);
    const messages = cut(bytes, [3, 20, 1]).map((piece) => message('d', piece));
    const { rows } = await read([Buffer.concat([BEGIN, ...messages, ...END])]);
    expect(rows.toString()).toBe('{"a":1}\n{}\n');
  });

  it('goes to pg from an error on', async () => {
    const stream = new PassThrough();
    const heard: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => heard.push(chunk));
    const copy = new CopyOut('COPY');
    copy.submit(connectionOver(stream));
    const error = message('E', Buffer.from('SERROR\0C57014\0\0'));
    stream.write(Buffer.concat([BEGIN, message('d', FILE_HEADER), error, message('Z', Buffer.from('E'))]));
    const failure = new Error('as pg makes it of the message');
    copy.handleError(failure);
    await expect(copy.next()).rejects.toBe(failure);
    await new Promise(setImmediate);
    expect(Buffer.concat(heard).includes(error)).toBe(true);
  });
});
