import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSecrets } from '../../src/catalog/secrets.ts';

const place = { table: 'Source', id: 'one', field: 'databaseSecret' };
const secrets = createSecrets(randomBytes(32));

test('any string survives sealing, and its text does not show', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (plain) => {
      const sealed = secrets.seal(plain, place);
      expect(sealed.startsWith('v1:')).toBe(true);
      expect(secrets.open(sealed, place)).toBe(plain);
    }),
  );
  expect(secrets.seal('same', place)).not.toBe(secrets.seal('same', place));
});

test.each([
  { what: 'another table', at: { ...place, table: 'Job' } },
  { what: 'another row', at: { ...place, id: 'two' } },
  { what: 'another field', at: { ...place, field: 'other' } },
])('what is sealed does not open in $what', ({ at }) => {
  const sealed = secrets.seal('secret', place);
  expect(() => secrets.open(sealed, at)).toThrow(expect.objectContaining({ code: 'DECRYPTION_FAILED' }));
});

test('what was sealed with another key, changed, cut or versioned otherwise does not open', () => {
  const sealed = secrets.seal('secret', place);
  const refused = expect.objectContaining({ code: 'DECRYPTION_FAILED' });
  expect(() => createSecrets(randomBytes(32)).open(sealed, place)).toThrow(refused);
  const bytes = Buffer.from(sealed.slice(3), 'base64url');
  for (let i = 0; i < bytes.length; i += 1) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(bytes.readUInt8(i) ^ 1, i);
    expect(() => secrets.open(`v1:${changed.toString('base64url')}`, place)).toThrow(refused);
    expect(() => secrets.open(`v1:${bytes.subarray(0, i).toString('base64url')}`, place)).toThrow(refused);
  }
  expect(() => secrets.open(sealed.replace('v1', 'v2'), place)).toThrow(refused);
});
