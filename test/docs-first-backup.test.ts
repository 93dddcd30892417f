/** The README's "first backup in five minutes", typed into a shell as it stands there, against a real server. */
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { blocksOf, root, sectionOf, textOf } from './docs/markdown.ts';

const run = promisify(execFile);
const readme = textOf('README.md');
const blocks = blocksOf(sectionOf(readme, 'Your own first backup in five minutes'));
const steps = blocks.filter(({ language }) => language === 'bash').map(({ text }) => text);
const hasCurl = spawnSync('curl', ['--version']).status === 0;

/** Deletes every row, as a bad deployment might. */
const EMPTY_ORDERS = `
  const { DatabaseSync } = require('node:sqlite');
  new DatabaseSync(process.argv[1]).exec('DELETE FROM orders');
`;

describe.skipIf(!hasCurl)('the README, followed to the letter', () => {
  let directory: string;
  let shop: string;
  let server: { readonly url: string; readonly apiKey: string };
  let stop: () => Promise<void>;

  /** What stands in the README, with the places and keys of this test. */
  function adapted(text: string): string {
    return text
      .replaceAll('/srv/shop', shop)
      .replaceAll('http://127.0.0.1:4400', server.url)
      .replaceAll('hf_the_key_you_were_shown', server.apiKey);
  }

  /** Runs commands as a person would; resolves to all that was shown. */
  async function shell(commands: readonly string[]): Promise<string> {
    // Node's own pipes are sockets, which cannot be opened as /dev/stderr.
    const { stdout } = await run('bash', [
      '-o',
      'pipefail',
      '-c',
      'bash -euo pipefail -c "$0" 2>&1 | cat',
      adapted(commands.join('\n')),
    ]);
    return stdout;
  }

  async function startServer(): Promise<void> {
    const command = blocks.find(({ language }) => language === 'bash server')?.text.trim() ?? '';
    const settings = [...command.matchAll(/(HOLDFAST_\w+)=(\S+)/g)].map(([, key, value]) => [
      key,
      value?.replaceAll('/srv/shop', shop),
    ]);
    expect(command).toMatch(/ npm start$/);
    const readyFile = join(directory, 'ready.json');
    const child = spawn(process.execPath, ['src/main.ts', 'serve', '--ready-file', readyFile], {
      cwd: root,
      env: {
        ...process.env,
        ...Object.fromEntries(settings),
        HOLDFAST_DATA: join(directory, 'data'),
        HOLDFAST_PORT: '0',
        HOLDFAST_LOG_LEVEL: 'silent',
      },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    stop = async () => {
      const ended = once(child, 'exit');
      if (child.kill('SIGTERM')) await ended;
    };
    await vi.waitFor(() => expect(existsSync(readyFile)).toBe(true), { timeout: 30_000, interval: 50 });
    // The server promises this shape.
    server = JSON.parse(await readFile(readyFile, 'utf8')) as typeof server;
  }

  beforeAll(async () => {
    directory = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-readme-')));
    shop = join(directory, 'shop');
    await mkdir(join(shop, 'uploads', 'cache'), { recursive: true });
    await writeFile(join(shop, 'uploads', 'photo.jpg'), 'a photo');
    await writeFile(join(shop, 'uploads', 'cache', 'small.jpg'), 'left out of backups');
    const database = new Database(join(shop, 'shop.db'));
    database.exec(`
      CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
      CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers(id));
      INSERT INTO customers VALUES (1, 'Ada'), (2, 'Grace');
      INSERT INTO orders VALUES (1, 1), (2, 1), (3, 2);
    `);
    database.close();
    await startServer();
  });

  afterAll(async () => {
    await stop?.();
    await rm(directory, { recursive: true, force: true });
  });

  test('backs up, verifies and restores a database and its files', async () => {
    const planAt = steps.findIndex((text) => text.includes('restorePlan'));
    expect(planAt).toBeGreaterThan(3);
    const told = await shell([
      ...steps.slice(0, planAt),
      `rm /srv/shop/uploads/photo.jpg; '${process.execPath}' --no-warnings -e '${EMPTY_ORDERS.replaceAll("'", '"')}' /srv/shop/shop.db`,
      ...steps.slice(planAt),
    ]);
    expect(told).toContain('"rowEstimate":"3"');
    expect(told).toContain('"rowsNow":"0","rowsInBundle":"3"');
    expect(told).not.toContain('"errors"');
    expect(told).not.toContain('"code"');
    expect(told.match(/"RecordFinished","record":{"status":"SUCCEEDED"/g)).toHaveLength(3);
    const database = new Database(join(shop, 'shop.db'), { readonly: true });
    expect(database.prepare('SELECT count(*) FROM orders').pluck().get()).toBe(3);
    database.close();
    expect(await readFile(join(shop, 'uploads', 'photo.jpg'), 'utf8')).toBe('a photo');
    expect(await readFile(join(shop, 'uploads', 'cache', 'small.jpg'), 'utf8')).toBe('left out of backups');
  });

  test('knows a PostgreSQL database by its connection string', async () => {
    const example = /`("database": {"postgresql": .*)`/.exec(readme)?.[1] ?? '';
    const [setUp = '', create = '', check = ''] = steps;
    const told = await shell([
      setUp,
      create
        .replace('"Shop"', '"Shop on PostgreSQL"')
        .replace(/"database": .*}}/, example.replace(/postgresql:\/\/[^"]+/, inject('postgresUrl'))),
      check,
    ]);
    expect(told).toContain('"kind":"POSTGRESQL"');
  });

  test('answers the first query', async () => {
    const [query] = blocksOf(sectionOf(readme, 'A first query, a first subscription'));
    const response = await fetch(`${server.url}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${server.apiKey}` },
      body: JSON.stringify({ query: query?.text }),
    });
    const answer = await response.json();
    expect(answer).toMatchObject({ data: { backups: { totalCount: 2 } } });
    expect(answer).not.toHaveProperty('errors');
  });

  test('makes a backup from TypeScript', async () => {
    const [snippet] = blocksOf(sectionOf(readme, 'From TypeScript'));
    const file = join(directory, 'snippet.ts');
    const client = JSON.stringify(join(root, 'client/sdk/index.ts'));
    await writeFile(file, adapted(snippet?.text ?? '').replace("'holdfast/client'", client));
    const { stdout } = await run(process.execPath, ['--no-warnings', file]);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^SUCCEEDED /);
  });
});
