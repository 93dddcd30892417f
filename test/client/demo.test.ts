import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const DEMO = join(import.meta.dirname, '..', '..', 'client', 'demo', 'main.ts');

test('the demo proves its restore, exits 0 and leaves nothing behind', async () => {
  const temporary = await mkdtemp(join(tmpdir(), 'holdfast-demo-test-'));
  try {
    const { stdout } = await run(process.execPath, [DEMO, '--once', '--rows', '2000'], {
      env: { ...process.env, TMPDIR: temporary },
    });
    expect(stdout).toContain('Everything is what it was: row for row, file for file.');
    expect(stdout).toMatch(/5 of 8 tables and \d+ paths are no longer what they were/);
    expect(await readdir(temporary)).toEqual([]);
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
});

test('the demo exits 1 and says what differs when the application is not what it was', async () => {
  const kept = await mkdtemp(join(tmpdir(), 'holdfast-demo-test-'));
  const stray = join(kept, 'application/workspace/stray.txt');
  // Something writes into the application right after it was restored, before the demo measures it again.
  const meddle = `
    import { writeFileSync } from 'node:fs';
    const { log } = console;
    console.log = (...words) => {
      log(...words);
      if (/files restored/.test(words.join(' '))) writeFileSync(${JSON.stringify(stray)}, 'x');
    };`;
  try {
    const failed = await run(process.execPath, [
      '--import',
      `data:text/javascript,${encodeURIComponent(meddle)}`,
      DEMO,
      ...['--once', '--rows', '2000', '--keep', kept],
    ]).then(
      () => undefined,
      (error: { code: number; stdout: string }) => error,
    );
    expect(failed).toMatchObject({ code: 1, stdout: expect.stringContaining('Something differs.') });
    expect(failed?.stdout).toContain('stray.txt: was not there');
  } finally {
    await rm(kept, { recursive: true, force: true });
  }
});
