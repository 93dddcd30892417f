import { execFile, execFileSync } from 'node:child_process';
import { lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createBundleFormat } from '../../src/bundle/bundle-format.ts';
import { directory, file, symlink, writeBundle } from './sample-bundle.ts';

const run = promisify(execFile);

function installed(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const rows = Array.from(
  { length: 50 },
  (_, id) => `{"id":${id},"big":9007199254740993${id},"text":"a,\\n]"}\n`,
);

describe('a person without Holdfast reads a bundle', () => {
  let folder: string;
  let bundle: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-tools-'));
    bundle = join(folder, 'bundle.zip');
    const content = await writeBundle(
      {
        tables: [
          { schema: 'public', name: 'orders', chunks: rows },
          { schema: 'sales', name: 'empty', chunks: [] },
        ],
        files: [
          directory('dir'),
          file('dir/run.sh', '#!/bin/sh\n', 0o755),
          symlink('dir/link', '../outside'),
          symlink('dir/raw', 'caf\udce9'),
          file('secret.txt', 'x', 0o600),
          file('[...slug].tsx', 'page'),
          file('empty', ''),
        ],
      },
      createBundleFormat({ partBytes: 1000 }),
    );
    await writeFile(bundle, content);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('with unzip: it is whole, and unpacks with modes and links', async (context) => {
    context.skip(!installed('unzip'), 'unzip is not installed');
    expect((await run('unzip', ['-t', bundle])).stdout).toContain('No errors detected');
    const target = join(folder, 'unpacked');
    await run('unzip', ['-q', bundle, '-d', target]);
    const app = join(target, 'files', 'app');
    expect((await readdir(app)).sort()).toEqual(['%5B...slug%5D.tsx', 'dir', 'empty', 'secret.txt']);
    expect((await lstat(join(app, 'dir', 'run.sh'))).mode & 0o777).toBe(0o755);
    expect((await lstat(join(app, 'secret.txt'))).mode & 0o777).toBe(0o600);
    expect(await readlink(join(app, 'dir', 'link'))).toBe('../outside');
    expect((await readlink(join(app, 'dir', 'raw'), 'buffer')).toString('latin1')).toBe('caf\xe9');
    expect(await readFile(join(app, '%5B...slug%5D.tsx'), 'utf8')).toBe('page');
    expect(JSON.parse(await readFile(join(target, 'manifest.json'), 'utf8'))).toMatchObject({
      formatVersion: 1,
    });
  });

  test('with unzip, jq and sed as RESTORE.md says: every row, every digit', async (context) => {
    context.skip(!installed('unzip') || !installed('jq'), 'unzip or jq is not installed');
    const count = await run('sh', ['-c', 'unzip -p "$0" db/orders.json | jq length', bundle]);
    const manifest = JSON.parse((await run('unzip', ['-p', bundle, 'manifest.json'])).stdout);
    const parts: string[] = manifest.database.tables[0].parts;
    expect(parts.length).toBeGreaterThan(2);
    expect(Number(count.stdout)).toBeLessThan(rows.length);
    const guide = (await run('unzip', ['-p', bundle, 'RESTORE.md'])).stdout;
    const command = guide.split('\n').find((line) => line.includes('| sed ')) ?? '';
    expect(command).toContain('unzip -p backup.zip db/TABLE.json');
    const line = command
      .trim()
      .replace('backup.zip', '"$0"')
      .replace('db/TABLE.json', '"$1"')
      .replace(/> TABLE.rows$/, '');
    let restored = '';
    for (const part of parts) restored += (await run('sh', ['-c', line, bundle, part])).stdout;
    expect(restored).toBe(rows.join(''));
    expect((await run('sh', ['-c', line, bundle, 'db/sales.empty.json'])).stdout).toBe('');
  });

  test('with the checksums and the list of renamed files from RESTORE.md', async (context) => {
    context.skip(
      !installed('unzip') || !installed('jq') || !installed('sha256sum'),
      'a tool is not installed',
    );
    const guide = (await run('unzip', ['-p', bundle, 'RESTORE.md'])).stdout;
    const renamed = guide.split('\n').find((line) => line.includes('select(.path and')) ?? '';
    const listed = await run('sh', ['-c', renamed.trim(), bundle], { cwd: folder });
    expect(listed.stdout).toBe('');
  });

  test('with Python', async (context) => {
    context.skip(!installed('python3'), 'python3 is not installed');
    const script = `
import json, sys, zipfile
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
print(sum(len(json.loads(z.read(n))) for n in z.namelist() if n.startswith('db/orders')))`;
    expect((await run('python3', ['-c', script, bundle])).stdout.trim()).toBe(String(rows.length));
  });

  test('with psql as RESTORE.md says, values and sequence', async (context) => {
    context.skip(!installed('psql') || !installed('unzip'), 'psql or unzip is not installed');
    const lines = [
      '{"id":9007199254740993,"name":"a,\\n\\"]}\\\\","payload":"{\\"k\\": null, \\"k\\": 1}","data":"\\\\x00ff","list":"[0:1]={5,6}"}\n',
      '{"id":2,"name":null,"payload":"null","data":null,"list":null}\n',
    ];
    const path = join(folder, 'rows.zip');
    await writeFile(
      path,
      await writeBundle({ tables: [{ schema: 'public', name: 'TABLE', chunks: lines }] }),
    );
    const guide = (await run('unzip', ['-p', path, 'RESTORE.md'])).stdout;
    const block = (from: string, to: string) =>
      guide
        .slice(guide.indexOf(from), guide.indexOf(to, guide.indexOf(from)) + to.length)
        .replaceAll(/^ {4}/gm, '');
    const extract = guide.split('\n').find((line) => line.includes('| sed ')) ?? '';
    await run('sh', ['-c', extract.replace('backup.zip', path)], { cwd: folder });
    const script = [
      'CREATE TABLE public.my_table (id bigint GENERATED ALWAYS AS IDENTITY, name text, payload json, data bytea, list integer[]);',
      block('BEGIN;', 'COMMIT;')
        .replace('(id, name, payload)', '(id, name, payload, data, list)')
        .replace('::integer', '::bigint')
        .replace("'payload')::jsonb", "'payload')::json, (line->>'data')::bytea, (line->>'list')::integer[]"),
      block('SELECT setval', ');').replace('LASTVALUE', '41').replace('ISCALLED', 'true'),
      "INSERT INTO my_table (name) VALUES ('next');",
      'COPY my_table TO STDOUT;',
    ].join('\n');
    const name = `guide_${process.pid}`;
    const url = new URL(inject('postgresUrl'));
    await run('psql', ['-qc', `CREATE DATABASE ${name}`, url.href]);
    url.pathname = `/${name}`;
    try {
      await writeFile(join(folder, 'guide.sql'), script);
      const { stdout } = await run('psql', ['-qAt', '-v', 'ON_ERROR_STOP=1', '-f', 'guide.sql', url.href], {
        cwd: folder,
      });
      expect(stdout.split('\n')).toEqual([
        '41',
        '9007199254740993\ta,\\n"]}\\\\\t{"k": null, "k": 1}\t\\\\x00ff\t[0:1]={5,6}',
        '2\t\\N\tnull\t\\N\t\\N',
        '42\tnext\t\\N\t\\N\t\\N',
        '',
      ]);
    } finally {
      await run('psql', ['-qc', `DROP DATABASE ${name} WITH (FORCE)`, inject('postgresUrl')]);
    }
  });
});
