import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MODULE = join(import.meta.dirname, '../../../src/bundle/seal/age-payload.ts');
/** Makes so many heads at once, and prints the most memory that was resident, KiB. */
const PROGRAM = `
const { newPassphraseHead } = await import(process.argv[1]);
await Promise.all(Array.from({ length: Number(process.argv[2]) }, () => newPassphraseHead('correct horse')));
console.log(process.resourceUsage().maxRSS);`;

async function mostMiB(heads: number): Promise<number> {
  const args = ['--input-type=module', '--no-warnings', '-e', PROGRAM, MODULE, String(heads)];
  return Number((await promisify(execFile)(process.execPath, args)).stdout) / 1024;
}

test('passphrases that are worked on at the same time take the memory of one', async () => {
  const [one, four] = [await mostMiB(1), await mostMiB(4)];
  expect(one).toBeGreaterThan(128);
  expect(four).toBeLessThan(one + 96);
});
