import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToName, latin1ToName, nameToBytes, printable } from '../../../src/source/files/name-bytes.ts';
import { compareInTreeOrder } from '../../../src/source/files/tree-order.ts';

const nameBytes = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte))));

describe('names as strings', () => {
  it('every sequence of bytes survives, also through JSON', () => {
    fc.assert(
      fc.property(nameBytes, (bytes) => {
        const name = bytesToName(bytes);
        // JSON.parse gives back the string that went in.
        const again: unknown = JSON.parse(JSON.stringify(name));
        expect(again).toBe(name);
        expect(nameToBytes(name).equals(bytes)).toBe(true);
        expect(latin1ToName(bytes.toString('latin1'))).toBe(name);
      }),
      { numRuns: 2000 },
    );
  });

  it('UTF-8 names look like themselves, other bytes stand as U+DC80..U+DCFF', () => {
    expect(bytesToName(Buffer.from('Grüße 🎉'))).toBe('Grüße 🎉');
    expect(bytesToName(Buffer.from('caf\xe9.txt', 'latin1'))).toBe('caf\udce9.txt');
    expect(bytesToName(Buffer.from([0xed, 0xa0, 0x80]))).toBe('\udced\udca0\udc80');
  });

  it('strings that stand for no name, or are a second spelling of one, are refused', () => {
    for (const name of ['\ud800', 'a\udc7f', '\udcc3\udca9']) {
      expect(() => nameToBytes(name)).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }));
    }
  });

  it('messages show control characters and odd bytes instead of sending them to a terminal', () => {
    expect(printable('a\u001b[31m\udce9')).toBe('a\\x1b[31m\\xe9');
  });
});

describe('the order of a walk', () => {
  it('puts parents before children and what is in a directory before longer names', () => {
    const expected = ['B', 'a', 'a/b', 'a/b/c', 'a/c', 'a!', 'a.txt', 'b', 'é', '\uffee', '🎉', '\udcff'];
    expect([...expected].reverse().sort(compareInTreeOrder)).toEqual(expected);
  });

  it('is the byte order of names at each level, whatever they hold', () => {
    fc.assert(
      fc.property(nameBytes, nameBytes, (left, right) => {
        const order = compareInTreeOrder(bytesToName(left), bytesToName(right));
        expect(Math.sign(order)).toBe(Buffer.compare(left, right));
      }),
    );
  });
});
