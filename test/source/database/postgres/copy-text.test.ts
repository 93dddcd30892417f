import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toCopyText } from '../../../../src/source/database/postgres/copy-text.ts';

async function convert(text: string | Buffer, columns: readonly string[], pieceSize = 3): Promise<string> {
  const bytes = Buffer.from(text);
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let start = 0; start < bytes.length; start += pieceSize)
      yield bytes.subarray(start, start + pieceSize);
  }
  const parts: Buffer[] = [];
  for await (const part of toCopyText(pieces(), {
    table: 'public.t',
    columns,
    cleared: new Set(['cleared']),
  })) {
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts).toString('utf8');
}

/** What COPY makes of its text format. */
function readCopyText(text: string): (string | null)[][] {
  const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\' };
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) =>
      line
        .split('\t')
        .map((field) =>
          field === '\\N' ? null : field.replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter),
        ),
    );
}

describe('row lines turned into COPY text', () => {
  it('carry any text, null and key order, whatever the pieces', async () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0')),
      fc.constant(null),
      // Longer than what is looked at byte by byte, with something to escape far inside.
      fc
        .tuple(fc.string(), fc.constantFrom('\n', '\\', '"', '\t', '書', ''))
        .map(([a, b]) => `${a}${'x'.repeat(60)}${b}${'y'.repeat(60)}${b}`)
        .filter((text) => !text.includes('\0')),
      fc.constantFrom('\\N', '\\.', '\t', '\r\n', '"', '\u2028', '🎉'),
    );
    const row = fc.record({ 'a "quoted"\\ key': value, 書: value, z: value });
    await fc.assert(
      fc.asyncProperty(
        fc.array(row),
        fc.integer({ min: 1, max: 40 }),
        fc.boolean(),
        async (rows, size, reverse) => {
          const columns = ['a "quoted"\\ key', '書', 'z'];
          const lines = rows.map((entry) => {
            const entries = Object.entries(entry);
            return `${JSON.stringify(Object.fromEntries(reverse ? entries.reverse() : entries))}\n`;
          });
          const expected = rows.map((entry) => [entry['a "quoted"\\ key'], entry.書, entry.z]);
          expect(readCopyText(await convert(lines.join(''), columns, size))).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keep numbers digit by digit', async () => {
    expect(await convert('{"a":-0,"b":12345678901234567890.10,"c":1e+20}\n', ['a', 'b', 'c'])).toBe(
      '-0\t12345678901234567890.10\t1e+20\n',
    );
  });

  it('understand escapes that other tools write', async () => {
    expect(await convert('{"a":"\\u00e9\\uD83C\\uDF89\\/\\u0009\\b"}\n', ['a'])).toBe('é🎉/\\t\b\n');
  });

  it('put objects and arrays of an edited bundle in as their JSON text', async () => {
    expect(await convert('{"a":{"x":"a\\"}\\\\ b"},"b":[1,[2]]}\n', ['a', 'b'])).toBe(
      '{"x":"a\\\\"}\\\\\\\\ b"}\t[1,[2]]\n',
    );
  });

  it('drop cleared values', async () => {
    expect(await convert('{"cleared":"secret","a":true}\n', ['cleared', 'a'])).toBe('\\N\ttrue\n');
  });

  it('make an empty line of a row without columns', async () => {
    expect(await convert('{}\n{}\n', [])).toBe('\n\n');
  });

  it('take a last row without a line end', async () => {
    expect(await convert('{"a":1}\n{"a":2}', ['a'])).toBe('1\n2\n');
  });

  it.each([
    ['an array', '[1]\n'],
    ['an empty line', '\n'],
    ['an unfinished object', '{"a":1\n'],
    ['two objects in a line', '{"a":1}{"a":1}\n'],
    ['a missing value', '{"a":}\n'],
    ['a bare word', '{"a":nil}\n'],
    ['a raw tab in a string', '{"a":"x\ty"}\n'],
    ['a raw tab in a long string', `{"a":"${'x'.repeat(70)}\ty"}\n`],
    ['a line end in a long string', `{"a":"${'x'.repeat(70)}\ny"}\n`],
    ['a word that is cut off', '{"a":tru}\n'],
    ['NUL', '{"a":"\\u0000"}\n'],
    ['half a surrogate pair', '{"a":"\\ud800"}\n'],
    ['an unknown escape', '{"a":"\\x"}\n'],
    ['a key that stands twice', '{"a":1,"a":2}\n'],
    ['an unfinished array', '{"a":[1\n'],
    ['a string that ends in an escape', '{"a":"\\\n'],
  ])('are refused with table and row for %s', async (_, line) => {
    await expect(convert(`{"a":0}\n${line}`, ['a'])).rejects.toMatchObject({
      code: 'INVALID_CHECKSUM',
      message: expect.stringMatching(/^Row 2 of table public\.t /),
    });
  });

  it('are refused when a key stands twice and out of order', async () => {
    await expect(convert('{"b":1,"b":2,"a":3}\n', ['a', 'b'])).rejects.toMatchObject({
      code: 'INVALID_CHECKSUM',
    });
  });
});

describe('the memory of rows turned into COPY text', () => {
  /** About 200 KB of rows that begin with `from`. */
  const chunkOf = (from: number): Buffer =>
    Buffer.from(
      Array.from({ length: 2_000 }, (_, n) => `{"a":${from + n},"b":"${'x'.repeat(80)}"}\n`).join(''),
    );
  const options = { table: 'public.t', columns: ['a', 'b'], cleared: new Set<string>() };

  it('is given back as soon as they are converted', async () => {
    const chunks = [chunkOf(0), chunkOf(2_000)];
    for await (const _ of toCopyText(Readable.from(chunks), options));
    expect(chunks.map((chunk) => chunk.length)).toEqual([0, 0]);
  });

  it('stays when it is a part of something larger', async () => {
    const all = Buffer.concat([chunkOf(0), chunkOf(2_000)]);
    const before = Buffer.from(all);
    const halves = [all.subarray(0, all.length / 2), all.subarray(all.length / 2)];
    for await (const _ of toCopyText(Readable.from(halves), options));
    expect(all.equals(before)).toBe(true);
  });

  it('leaves a chunk of text as it is while the next one is made', async () => {
    const texts = toCopyText(Readable.from([0, 1, 2, 3].map((n) => chunkOf(n * 2_000))), options);
    let rows = 0;
    let last: { readonly text: Buffer; readonly was: Buffer } | undefined;
    for await (const text of texts) {
      if (last !== undefined) expect(last.text.equals(last.was)).toBe(true);
      last = { text, was: Buffer.from(text) };
      for (const line of text.toString().split('\n').slice(0, -1)) {
        expect(line.startsWith(`${rows}\t`)).toBe(true);
        rows += 1;
      }
    }
    expect(rows).toBe(8_000);
  });
});
