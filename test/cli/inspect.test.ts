import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createBundleFormat } from '../../src/bundle/bundle-format.ts';
import { seededSigner } from '../../src/bundle/seal/signer.ts';
import { collectingSink, draftOf, file, fill, never, withSpool } from '../bundle/sample-bundle.ts';
import { coverOf, splitBundle } from '../bundle/seal/cover.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

let directory: string;
let bundle: Buffer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-inspect-'));
  bundle = await sealed();
  await writeFile(join(directory, 'shop.zip'), bundle);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** A bundle that is sealed with a key nobody here has, whose source has a name that writes to terminals. */
async function sealed(): Promise<Buffer> {
  const { value } = await withSpool(async (spoolDirectory) => {
    const { sink, content } = collectingSink();
    const writer = createBundleFormat().createWriter({
      sink,
      spoolDirectory,
      sealing: { mode: 'KEY', keyId: 'key-1', key: Buffer.alloc(32, 1) },
      signer: seededSigner(Buffer.alloc(32, 5)),
    });
    const files = [file('read me')];
    const tables = await fill(writer, {
      tables: [{ schema: 'public', name: 'customers', chunks: ['{"id":1}\n{"id":2}\n'] }],
      files,
    });
    await writer.finish({ ...draftOf(tables, files), source: { id: 's', name: 'Shop\u001b[31m' } }, never);
    return content();
  });
  return value;
}

/** Runs the command in a process of its own, without any setting of a server. */
async function run(...args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  const env = { PATH: process.env['PATH'], HOME: directory };
  return await new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--no-warnings', MAIN, 'inspect', ...args],
      { cwd: directory, env },
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });
}

test('a bundle is told without a server and without its key', async () => {
  const { code, stdout } = await run('shop.zip');
  expect(code).toBe(0);
  expect(stdout).toContain(`shop.zip: ${bundle.length} bytes`);
  expect(stdout).toContain(createHash('sha256').update(bundle).digest('hex'));
  expect(stdout).toMatch(/signed +by [0-9a-f]{64}/);
  expect(stdout).toMatch(/sealed +with the key key-1/);
  expect(stdout).toMatch(/public\.customers: 2 rows/);
  expect(stdout, 'what a bundle says must not steer the terminal').not.toContain('\u001b');
});

test('with --json it is one document that holds the whole manifest', async () => {
  const { code, stdout } = await run('shop.zip', '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    name: 'shop.zip',
    sizeBytes: bundle.length,
    checksum: createHash('sha256').update(bundle).digest('hex'),
    signature: { state: 'SIGNED' },
    manifest: { formatVersion: 1, encryption: { mode: 'KEY', keyId: 'key-1' } },
  });
});

test('what is wrong with a bundle does not steer the terminal either', async () => {
  const { payload, manifest } = splitBundle(bundle);
  const hostile = { ...manifest, 'a\u001b[2J\u009b31m': 1 };
  await writeFile(join(directory, 'hostile.zip'), coverOf(payload, hostile));
  const { code, stderr } = await run('hostile.zip');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^INVALID_MANIFEST: .*key: "a[^\p{Cc}]*\n[^\p{Cc}]*\n$/u);
});

test('a damaged bundle, none and nothing at all fail with what is wrong', async () => {
  await writeFile(join(directory, 'cut.zip'), bundle.subarray(0, bundle.length - 50));
  expect(await run('cut.zip')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/^INVALID_MANIFEST: /),
  });
  expect(await run('nowhere.zip')).toMatchObject({ code: 1, stderr: expect.stringMatching(/^NOT_FOUND: /) });
  expect(await run()).toMatchObject({ code: 2, stderr: expect.stringContaining('holdfast inspect FILE') });
  expect(await run('shop.zip', 'cut.zip')).toMatchObject({ code: 2 });
});
