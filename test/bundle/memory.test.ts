import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MIB = 1024 * 1024;

test('300 MB are written and read back without memory for more than a few chunks', async () => {
  const script = fileURLToPath(new URL('./stream-much.ts', import.meta.url));
  // A small young generation, so that what is measured is what is held and not what waits to be collected.
  const flags = ['--no-warnings', '--max-semi-space-size=4', script, String(150 * MIB)];
  const { stdout } = await promisify(execFile)(process.execPath, flags);
  const { before, peak } = JSON.parse(stdout);
  expect((peak - before) / MIB).toBeLessThan(100);
});
