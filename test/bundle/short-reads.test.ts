/** A storage that ends a read early, without a word, while content is checked: that says nothing of the bundle. */
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import type { RandomAccess } from '../../src/storage/storage.ts';
import { asFile, never, writeBundle } from './sample-bundle.ts';
import { keySealing, keyUnlock, sample } from './seal/sealed-sample.ts';

/** Gives all of each range but its last bytes, once `missing` is set. */
function forgetful(content: Buffer): RandomAccess & { missing: number } {
  const whole = asFile(content);
  return {
    missing: 0,
    sizeBytes: whole.sizeBytes,
    read(start, end, signal) {
      const { missing } = this;
      if (missing === 0) return whole.read(start, end, signal);
      return Readable.from([content.subarray(start, Math.max(start, end - missing))], { objectMode: false });
    },
    close: () => whole.close(),
  };
}

test.each([
  ['deflated', 'DEFLATE_1', false],
  ['stored', 'STORE', false],
  ['Zstandard', 'ZSTD', false],
  ['sealed', 'DEFLATE_1', true],
] as const)(
  'content that is %s is not called damaged when reads end early',
  async (_how, compression, sealed) => {
    const bundle = await writeBundle(
      sample,
      bundleFormat,
      compression,
      sealed ? { sealing: keySealing } : {},
    );
    const file = forgetful(bundle);
    const reader = await bundleFormat.openReader(file, never, { unlock: keyUnlock });
    const damaged: string[] = [];
    const verify = () =>
      reader.verifyContent(
        () => {},
        never,
        (entry) => damaged.push(entry),
      );
    for (const missing of [1, 20, 60, 1_000_000]) {
      file.missing = missing;
      await expect(verify()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' });
    }
    expect(damaged).toEqual([]);
    file.missing = 0;
    expect(await verify()).toMatchObject({ contentChecked: true });
  },
);
