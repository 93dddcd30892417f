import { expect, test } from 'vitest';
import { FORMAT_VERSION, OLDEST_FORMAT_VERSION, oldestReadBy } from '../../src/bundle/manifest.ts';
import { checkFormatVersion } from '../../src/bundle/read-manifest.ts';
import { HoldfastError } from '../../src/errors.ts';

/** The code with which a reader of version `newest` refuses a bundle. */
function answer(formatVersion: number, newest?: number): string {
  try {
    checkFormatVersion(formatVersion, newest);
    return 'reads';
  } catch (error) {
    if (error instanceof HoldfastError && error.hint !== undefined) return error.code;
    throw error;
  }
}

test('a reader takes its own version and the two before', () => {
  for (let newest = 1; newest <= 6; newest++) {
    for (let version = 1; version <= 8; version++) {
      const expected =
        version > newest ? 'FORMAT_TOO_NEW' : version < newest - 2 ? 'FORMAT_TOO_OLD' : 'reads';
      expect(answer(version, newest), `${version} by ${newest}`).toBe(expected);
    }
  }
  expect([1, 2, 3, 4, 5].map(oldestReadBy)).toEqual([1, 1, 1, 2, 3]);
});

test('this program takes what it writes', () => {
  expect(answer(FORMAT_VERSION)).toBe('reads');
  expect(answer(OLDEST_FORMAT_VERSION)).toBe('reads');
  expect(answer(FORMAT_VERSION + 1)).toBe('FORMAT_TOO_NEW');
});
