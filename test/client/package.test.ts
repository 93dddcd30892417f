import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..', '..');
let directory: string;

/** The package as it is installed elsewhere: package.json, what is built, and its dependencies. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-package-'));
  const compiler = join(ROOT, 'node_modules', '.bin', 'tsc');
  await run(compiler, ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', join(directory, 'dist')]);
  await writeFile(join(directory, 'package.json'), await readFile(join(ROOT, 'package.json')));
  await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test('holdfast/client works in plain Node.js after a build', async () => {
  const program = join(directory, 'program.mjs');
  await writeFile(
    program,
    `import { createClient } from 'holdfast/client';
    await createClient({ url: 'http://127.0.0.1:9' }).viewer().catch(({ name, code }) => console.log(name, code));`,
  );
  const { stdout } = await run(process.execPath, [program]);
  expect(stdout.trim()).toBe('HoldfastRequestError CONNECTION');
});

test('holdfast/client imports nothing that browsers do not have', async () => {
  const built = join(directory, 'dist', 'client', 'sdk');
  const files = (await readdir(built, { recursive: true })).filter((name) => name.endsWith('.js'));
  const imported = new Set<string>();
  for (const file of files) {
    const text = await readFile(join(built, file), 'utf8');
    for (const [, name] of text.matchAll(/^(?:import|export) .*?from '([^.'][^']*)'/gm))
      imported.add(name ?? '');
  }
  expect(files.length).toBeGreaterThan(5);
  expect([...imported]).toEqual(['graphql-ws/client']);
});
