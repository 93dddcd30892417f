/** What a person can do with a recovery kit and a bundle, with nothing of Holdfast: by the commands that the texts give. */
import { execFile } from 'node:child_process';
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { unwrap } from '../../client/sdk/index.ts';
import { needs } from '../support/needs.ts';
import { createTestDatabase } from '../support/postgres-database.ts';
import { typePassphrase } from '../support/type-passphrase.ts';
import { backUp, Ground, PASSPHRASE } from './recovery.ts';

const run = promisify(execFile);

let ground: Ground;
beforeEach(async () => {
  ground = await Ground.make();
});
afterEach(() => ground.remove());

const inShell = (command: string) =>
  run('sh', ['-ec', command], { cwd: ground.directory, env: { PATH: process.env['PATH'] } });

/** The kit as its folder `kit`, by age and unzip; the only bundle as `backup.zip`. */
async function takeOut(): Promise<string> {
  await ground.stop();
  await typePassphrase(PASSPHRASE, ['age', '-d', '-o', 'kit.zip', 'kit.age'], ground.directory);
  expect((await inShell('unzip -t kit.zip')).stdout).toContain('No errors detected');
  await inShell('mkdir kit && cd kit && unzip -q ../kit.zip');
  const [folder = ''] = await readdir(ground.path('bundles'));
  const [bundle = ''] = await readdir(join(ground.path('bundles'), folder));
  await copyFile(join(ground.path('bundles'), folder, bundle), ground.path('kit/BUNDLE.zip'));
  return await readFile(ground.path('kit/RECOVER.md'), 'utf8');
}

/** Opens the bundle by the command of RECOVER.md, and unpacks it to `kit/unpacked`. */
async function openBundle(guide: string): Promise<void> {
  const command = guide.split('\n').find((line) => line.startsWith('    node ')) ?? '';
  expect((await inShell(`cd kit && ${command}`)).stdout).toContain('content.zip is complete. Signed by');
  await inShell('cd kit && unzip -q content.zip -d unpacked');
}

test('SQLite: a kit opens by age and unzip, a bundle by its script, rows load by sqlite3', async (context) => {
  needs(context, 'age', 'unzip', 'jq', 'sqlite3', 'python3', 'node');
  const client = await ground.serve();
  const sourceId = await ground.addSource(client);
  await backUp(client, sourceId);
  await ground.downloadKit(client);
  const guide = await takeOut();
  expect((await readdir(ground.path('kit'))).sort()).toEqual([
    'BUNDLE.zip',
    'RECOVER.md',
    'keys.txt',
    'kit.json',
    'open-bundle.mjs',
  ]);
  const named = await inShell("jq -r '.sources[] | .name, .database.path' kit/kit.json");
  expect(named.stdout).toBe(`App\n${ground.path('application/app.db')}\n`);
  expect(guide).toContain(`HOLDFAST_ROOTS=${ground.path('application')}`);

  await openBundle(guide);
  // As RESTORE.md of the bundle says.
  await inShell(`cd kit/unpacked
    sqlite3 -bail NEW.db < db/schema.sql
    sqlite3 -bail NEW.db "INSERT INTO orders (id, big, note)
      SELECT value->>'$.id', value->>'$.big', value->>'$.note' FROM json_each(readfile('db/orders.json'))"
    sqlite3 -bail NEW.db < db/schema-after.sql`);
  const rows = 'SELECT id, big, note FROM orders ORDER BY id';
  const [restored, original] = await Promise.all([
    inShell(`sqlite3 kit/unpacked/NEW.db "${rows}"`),
    inShell(`sqlite3 application/app.db "${rows}"`),
  ]);
  expect(restored.stdout).toBe(original.stdout);
  expect(await readFile(ground.path('kit/unpacked/files/files/read%20me.txt'), 'utf8')).toBe('kept');
});

test('PostgreSQL: structure and rows load by psql', async (context) => {
  needs(context, 'age', 'unzip', 'jq', 'psql', 'python3', 'node');
  const [from, to] = await Promise.all([
    createTestDatabase(inject('postgresUrl')),
    createTestDatabase(inject('postgresUrl')),
  ]);
  try {
    await from.execute(
      'CREATE TABLE t (id bigint PRIMARY KEY, v text, n numeric)',
      `INSERT INTO t VALUES (9007199254740993, 'a "b" \\ c', 1.10), (2, NULL, NULL)`,
      'CREATE INDEX t_v ON t (v)',
    );
    const client = await ground.serve();
    const { source } = unwrap(
      await client.createSource({ name: 'Shop', database: { postgresql: { url: from.url } } }),
    );
    await backUp(client, source.id);
    await ground.downloadKit(client);
    await openBundle(await takeOut());
    // As RESTORE.md of the bundle says.
    await writeFile(
      ground.path('kit/unpacked/load.sql'),
      `CREATE TEMP TABLE bundle_rows (line json);
\\copy bundle_rows FROM 'TABLE.rows' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
INSERT INTO public.t (id, v, n) OVERRIDING SYSTEM VALUE
  SELECT (line->>'id')::bigint, (line->>'v')::text, (line->>'n')::numeric FROM bundle_rows;
`,
    );
    await inShell(`cd kit/unpacked
      part="$(unzip -p ../BUNDLE.zip manifest.json | jq -r '.database.tables[0].parts[0]')"
      sed -e 's/^\\[\\]$//' -e 's/^[][]$//' -e 's/,$//' -e '/^$/d' "$part" > TABLE.rows
      for script in db/schema.sql load.sql db/schema-after.sql; do
        psql -X -q -v ON_ERROR_STOP=1 -d '${to.url}' -f "$script"
      done`);
    const all = 'SELECT id, v, n::text FROM t ORDER BY id';
    expect(await to.query(all)).toEqual(await from.query(all));
    expect(await to.query("SELECT 1 FROM pg_indexes WHERE indexname = 't_v'")).toHaveLength(1);
  } finally {
    await ground.stop();
    await Promise.all([from.dispose(), to.dispose()]);
  }
});
