import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RowProjection, RowProjector } from '../../src/engine/row-projector.ts';

/** The projection of lines that come in pieces of `size` bytes, each of which is overwritten once it was taken. */
function project(lines: string, projection: RowProjection, size = 7): string {
  const projector = new RowProjector(projection);
  const bytes = Buffer.from(lines);
  const output: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const piece = Buffer.from(bytes.subarray(at, at + size));
    output.push(projector.project(piece));
    piece.fill(0);
  }
  return Buffer.concat(output).toString();
}

test('columns are left out and cleared, and the rest stays byte for byte', () => {
  const lines =
    '{"id":1,"a\\"b":"x,}\\\\","big":12345678901234567890.100}\n{"id":2,"a\\"b":{"$blob":"00,"},"big":null}\n';
  const projection = { skipped: new Set(['a"b']), cleared: new Set(['id']) };
  expect(project(lines, projection)).toBe(
    '{"id":null,"big":12345678901234567890.100}\n{"id":null,"big":null}\n',
  );
});

test('numbers of some columns are the same whatever zeros end them, and no digit of theirs goes', () => {
  const projection = { asText: true, numbers: new Set(['n']) };
  const written = (n: string) => project(`{"n":${n},"other":1.50}\n`, projection, 1);
  for (const [number, same] of [
    ['1.00', '1'],
    ['-12.50', '-12.5'],
    ['100', '100'],
    ['0.10010', '0.1001'],
    ['1.0e20', '1.0e20'],
  ]) {
    expect(written(number ?? '')).toBe(`{"n":"${same}","other":"1.50"}\n`);
  }
  expect(written('null')).toBe('{"n":null,"other":"1.50"}\n');
  expect(written('"1.00"')).toBe('{"n":"1.00","other":"1.50"}\n');
});

test('a row all of whose columns are left out is an empty one', () => {
  expect(project('{"a":1,"b":[1,{"c":"]"}]}\n{}\n', { skipped: new Set(['a', 'b']) })).toBe('{}\n{}\n');
});

test('numbers and booleans compare as text, null and nested values stay', () => {
  expect(project('{"a":5,"b":"5","c":true,"d":null,"e":{"x":1}}\n', { asText: true }, 1)).toBe(
    '{"a":"5","b":"5","c":"true","d":null,"e":{"x":1}}\n',
  );
});

test('any rows in any pieces come out as JSON itself would write them', () => {
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.constant(null), fc.boolean());
  const rows = fc.array(
    fc.dictionary(fc.string({ unit: 'grapheme' }), fc.oneof(value, fc.record({ $v: value }))),
  );
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 3 }), (list, size, pick) => {
      const names = [...new Set(list.flatMap(Object.keys))].filter((_, index) => index % 4 === pick);
      const lines = list.map((row) => `${JSON.stringify(row)}\n`).join('');
      const expected = list
        .map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name))))
        .map((row) => `${JSON.stringify(row)}\n`)
        .join('');
      expect(project(lines, { skipped: new Set(names) }, size)).toBe(expected);
    }),
  );
});

test('what is no row line is refused', () => {
  expect(() => project('1\n', {})).toThrow('does not begin');
});
