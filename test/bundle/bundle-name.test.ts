import fc from 'fast-check';
import { expect, test } from 'vitest';
import { newBundleName } from '../../src/bundle/bundle-name.ts';
import { keySegments } from '../../src/storage/storage-key.ts';

const instant = new Date('2026-03-04T05:06:07.890Z');

test('a bundle is named after its source and the moment in UTC', () => {
  expect(newBundleName('My Shop (Größe)', instant)).toMatch(
    /^My-Shop-Grosse_20260304_050607_[0-9a-f]{10}\.zip$|^My-Shop-Gro-e_20260304_050607_[0-9a-f]{10}\.zip$/,
  );
});

test('two bundles of one second have different names', () => {
  expect(new Set(Array.from({ length: 1000 }, () => newBundleName('shop', instant))).size).toBe(1000);
});

test('whatever the source is called, the name is a valid key of a storage', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.constantFrom('', '...', '../..', '.env', '-', 'a'.repeat(999)),
      ),
      (name) => {
        expect(keySegments(`w1/${newBundleName(name, instant)}`)).toHaveLength(2);
      },
    ),
  );
});
