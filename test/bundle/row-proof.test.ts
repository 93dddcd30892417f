import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBundleFormat } from '../../src/bundle/bundle-format.ts';
import { JsonRowScanner } from '../../src/bundle/json-row-scanner.ts';
import { RowArrayCheck } from '../../src/bundle/row-array-check.ts';
import { RowProof } from '../../src/bundle/row-proof.ts';
import { digestOf, forgeRows } from './forged-rows.ts';
import { never, openBundle, verifyBundle, writeBundle } from './sample-bundle.ts';

function isWellFormed(row: Buffer, cuts: readonly number[] = []): boolean {
  const scanner = new JsonRowScanner();
  const borders = [0, ...cuts.map((cut) => cut % (row.length + 1)).sort((a, b) => a - b), row.length];
  const fits = borders.slice(1).every((end, i) => scanner.take(row, borders[i] ?? 0, end));
  return scanner.end() && fits;
}

function parses(row: string): boolean {
  try {
    return typeof JSON.parse(row) === 'object';
  } catch {
    return false;
  }
}

describe('a row is well-formed JSON', () => {
  test.each([
    '{}',
    '{ }',
    '{"a":[]}',
    '{"a":[{}]}',
    '{"a":{"b":[1,{"c":null}]},"d":[[],[[]]]}',
    '{"a":0,"b":-0,"c":10,"d":0.5,"e":1e5,"f":1E+5,"g":-1.25e-07,"h":9e999}',
    '{"":true,"a":false,"b":null}',
    '{"\\u00e9\\n":"\\"\\\\\\/\\b\\f\\n\\r\\t\\u12aB\\ud800"}',
    '{\t"a" :\r[ 1 , 2 ] }',
    '{"a":"é😀\u007f"}',
  ])('when it is %s', (row) => {
    expect(isWellFormed(Buffer.from(row))).toBe(true);
    expect(parses(row)).toBe(true);
  });

  test.each([
    '',
    '{',
    '}',
    '[]',
    '1',
    '{}{}',
    '{},',
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    '{,"a":1}',
    '{"a":1 "b":2}',
    '{"a":1:2}',
    '{a:1}',
    "{'a':1}",
    '{1:1}',
    '{"a":[1,]}',
    '{"a":[,1]}',
    '{"a":[1}',
    '{"a":{"b":1]}',
    '{"a":[1:2]}',
    '{"a":01}',
    '{"a":+1}',
    '{"a":-}',
    '{"a":.5}',
    '{"a":1.}',
    '{"a":1.e5}',
    '{"a":1e}',
    '{"a":1e+}',
    '{"a":0x10}',
    '{"a":1_000}',
    '{"a":NaN}',
    '{"a":Infinity}',
    '{"a":True}',
    '{"a":tru}',
    '{"a":nulll}',
    '{"a":truefalse}',
    '{"a":undefined}',
    '{"a":"\t"}',
    '{"a":"\0"}',
    '{"a":"\\x41"}',
    '{"a":"\\u12g4"}',
    '{"a":"\\u123"}',
    '{"a":"b}',
    '{"a":"\\"}',
    '{"a":1}//',
    '{"a":1/**/}',
    '\ufeff{}',
    '{"a":1}\u00a0',
  ])('not when it is %j', (row) => {
    expect(isWellFormed(Buffer.from(row))).toBe(false);
    expect(parses(row) && row.startsWith('{')).toBe(false);
  });

  test('when it nests as deep as 128, and not when it is deeper', () => {
    const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    expect(isWellFormed(Buffer.from(nested(128)))).toBe(true);
    expect(isWellFormed(Buffer.from(nested(129)))).toBe(false);
    expect(isWellFormed(Buffer.from(`{"a":${'[['.repeat(1000)}`))).toBe(false);
  });

  test('when JSON.parse takes it, whatever byte of it is another, and wherever it is cut', () => {
    const row = fc
      .dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))
      .map((value) => JSON.stringify(value));
    const byte = fc.oneof(
      fc.constantFrom(...Buffer.from('{}[]",:\\u0e-.+t1 ')),
      fc.integer({ min: 0, max: 127 }),
    );
    const changes = fc.array(fc.tuple(fc.nat(), byte), { maxLength: 2 });
    fc.assert(
      fc.property(row, changes, fc.array(fc.nat(), { maxLength: 4 }), (text, changed, cuts) => {
        const bytes = Buffer.from(text);
        for (const [at, value] of changed) bytes[at % bytes.length] = value;
        const line = bytes.toString();
        // Bytes, not characters, are what the scanner sees; and a row is an object on one line.
        if (line.includes('\ufffd') || line.includes('\n') || !line.trimStart().startsWith('{')) return;
        if (line.trimStart() !== line) return;
        expect(isWellFormed(bytes, cuts)).toBe(parses(line));
      }),
      { numRuns: 5000 },
    );
  });
});

describe('rows that were written wrongly, under hashes that are right,', () => {
  const good = '{"id":1,"text":"é"}';
  const part = (row: Buffer) =>
    Buffer.concat([Buffer.from(`[\n${good},\n${good},\n`), row, Buffer.from(`,\n${good}\n]\n`)]);
  const bytes = (before: string, middle: readonly number[], after: string) =>
    Buffer.concat([Buffer.from(before), Buffer.from(middle), Buffer.from(after)]);

  test.each([
    ['is no well-formed JSON', Buffer.from('{"id":1,}')],
    ['is no well-formed JSON', Buffer.from('{"id":01}')],
    ['is no well-formed JSON', Buffer.from('{"id":{"a":1}')],
    ['is no well-formed JSON', bytes('{"id":"', [0x01], '"}')],
    ['is no well-formed JSON', bytes('{', [0xc3, 0xa9], '"id":1}')],
    ['is no valid UTF-8', bytes('{"id":"', [0xff], '"}')],
    ['is no valid UTF-8', bytes('{"id":"', [0xc3], '"}')],
    ['is no valid UTF-8', bytes('{"id":"', [0xc0, 0xaf], '"}')],
    ['is no valid UTF-8', bytes('{"id":"', [0xed, 0xa0, 0x80], '"}')],
    ['is no valid UTF-8', bytes('{"id":"', [0xf4, 0x90, 0x80, 0x80], '"}')],
  ])('are told with entry and row: it %s', async (fault, row) => {
    const content = part(row);
    const told = { code: 'INVALID_CHECKSUM', message: expect.stringMatching(`db/t.json .*${fault}: row 3`) };
    for (const stored of [false, true])
      await expect(verifyBundle(forgeRows(content, { rows: 4, stored }))).rejects.toMatchObject(told);
    // And wherever chunks end.
    for (let size = 1; size <= content.length; size++) {
      const check = new RowArrayCheck('db/t.json', 1000, new RowProof());
      expect(() => {
        for (let at = 0; at < content.length; at += size) check.take(content.subarray(at, at + size));
        check.finish();
      }).toThrow(expect.objectContaining(told));
    }
  });

  test('are told by their digest', async () => {
    const digest = digestOf([Buffer.from(good)]);
    const content = `[\n${good},\n${good}\n]\n`;
    await expect(verifyBundle(forgeRows(content, { rows: 2, digest }))).rejects.toMatchObject({
      code: 'INVALID_CHECKSUM',
      message: expect.stringMatching(
        `db/t.json has rows of the content digest [0-9a-f]{32} instead of ${digest}`,
      ),
    });
  });

  test('are let through by who only counts them', async () => {
    const content = forgeRows(part(Buffer.from('{"id":1,}')), { rows: 4, digest: '0'.repeat(32) });
    const reader = await openBundle(content);
    const report = await reader.verifyContent(() => {}, never, undefined, 'COUNTED');
    expect(report).toMatchObject({ rows: 4, tables: [] });
    await reader.close();
  });
});

describe('rows that are right', () => {
  const rows = ['{}', '{"a":"é😀,"}', '{"a":[1,2],"b":"}"}', '{"a":","}', `{"a":"${'é'.repeat(40)}"}`];

  test('come to the same digest wherever chunks end', () => {
    const content = Buffer.from(`[\n${rows.join(',\n')}\n]\n`);
    for (let size = 1; size <= content.length; size++) {
      const proof = new RowProof();
      const check = new RowArrayCheck('db/t.json', 1000, proof);
      for (let at = 0; at < content.length; at += size) check.take(content.subarray(at, at + size));
      expect(check.finish()).toBe(rows.length);
      expect(proof.digest()).toBe(digestOf(rows.map((row) => Buffer.from(row))));
    }
  });

  test('are told by table, all parts together', async () => {
    const lines = Array.from({ length: 3000 }, (_, id) => `{"id":${id},"text":"${'é'.repeat(id % 90)}"}`);
    const content = await writeBundle(
      {
        tables: [
          { schema: 'public', name: 't', chunks: lines.map((line) => `${line}\n`) },
          { schema: 'other', name: 't', chunks: ['{}\n'] },
        ],
      },
      createBundleFormat({ partBytes: 50_000 }),
    );
    const { tables } = await verifyBundle(content);
    expect(tables).toEqual([
      { schema: 'public', name: 't', rows: 3000, digest: digestOf(lines.map((line) => Buffer.from(line))) },
      { schema: 'other', name: 't', rows: 1, digest: '44136fa355b3678a1146ad16f7e8649e' },
    ]);
  });
});
