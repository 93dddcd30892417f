import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MIB = 1024 * 1024;

test.each([
  ['DEFLATE_1', 'NONE'],
  ['ZSTD', 'NONE'],
  ['DEFLATE_1', 'KEY'],
])(
  '300 MB are written as %s, sealed by %s, and read back without memory for more than a few blocks',
  async (compression, sealing) => {
    const script = fileURLToPath(new URL('./stream-much.ts', import.meta.url));
    // A small young generation, so that what is measured is what is held and not what waits to be collected.
    const flags = [
      '--no-warnings',
      '--max-semi-space-size=4',
      script,
      String(150 * MIB),
      compression,
      sealing,
    ];
    const { stdout } = await promisify(execFile)(process.execPath, flags);
    const { before, peak } = JSON.parse(stdout);
    expect((peak - before) / MIB).toBeLessThan(100);
  },
);
