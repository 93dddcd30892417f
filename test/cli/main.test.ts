/** The command line, as a process of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const KEY = /hf_[\w-]{43}/;

/** The environment, less what the tests themselves are told by. */
const withoutSettings = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_')),
);

let directory: string;
const children: ChildProcessWithoutNullStreams[] = [];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'holdfast-cli-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) await ended(child, 'SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

function start(args: readonly string[], settings: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--no-warnings', MAIN, ...args], {
    cwd: directory,
    env: {
      ...withoutSettings,
      HOLDFAST_DATA: join(directory, 'data'),
      HOLDFAST_PORT: '0',
      HOLDFAST_LOG_LEVEL: 'silent',
      ...settings,
    },
  });
  children.push(child);
  return child;
}

/** Sends a signal to a process unless it has ended; resolves to its exit code once it has. */
async function ended(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  }
  return child.exitCode;
}

/** Runs a command to its end. */
async function run(args: readonly string[], settings: Record<string, string> = {}) {
  const child = start(args, settings);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, stdout, stderr };
}

/** Reads what a process prints until it has printed `pattern`. */
async function printed(child: ChildProcessWithoutNullStreams, pattern: RegExp): Promise<string> {
  let all = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    all += chunk;
    if (pattern.test(all)) return all;
  }
  throw new Error(`ended without ${pattern}: ${all}`);
}

function found(pattern: RegExp, where: string): string {
  const match = pattern.exec(where);
  if (match === null) throw new Error(`${pattern} is not in: ${where}`);
  return match[0];
}

async function occupy(): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function whoIs(url: string, apiKey: string): Promise<unknown> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}` },
    body: JSON.stringify({ query: '{ viewer { name role } }' }),
  });
  return response.json();
}

const OWNER = { data: { viewer: { name: 'owner', role: 'OWNER' } } };

test('a first start that finds its port taken makes no key: the second start shows it', async () => {
  const other = await occupy();
  // A server that listens on TCP has an address of this kind.
  const { port } = other.address() as AddressInfo;
  const refused = await run(['serve'], { HOLDFAST_PORT: String(port) });
  other.close();
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(`cannot listen on 127.0.0.1, port ${port}`);
  expect(refused.stdout).not.toMatch(KEY);

  const server = start(['serve']);
  const said = await printed(server, KEY);
  expect(await whoIs(found(/http:\S+/, said), found(KEY, said))).toEqual(OWNER);
  expect(await ended(server, 'SIGTERM')).toBe(0);
});

test('the key is shown even when the ready file cannot be written', async () => {
  const { code, stdout, stderr } = await run(['serve', '--ready-file', join(directory, 'nowhere', 'ready')]);
  expect(code).toBe(1);
  expect(stdout).toMatch(KEY);
  expect(stderr).toMatch(/^STORAGE_UNAVAILABLE: The ready file/);
});

test('the ready file, which holds the key, is readable by its owner alone whatever lay in its way', async () => {
  const ready = join(directory, 'ready.json');
  await writeFile(`${ready}.tmp`, 'left behind', { mode: 0o644 });
  const server = start(['serve', '--ready-file', ready]);
  await expect.poll(() => existsSync(ready), { timeout: 30_000 }).toBe(true);
  expect((await stat(ready)).mode & 0o777).toBe(0o600);
  expect(JSON.parse(await readFile(ready, 'utf8'))).toMatchObject({ apiKey: expect.stringMatching(KEY) });
  expect(await ended(server, 'SIGTERM')).toBe(0);
});

test('new-key makes a further key of the owner beside a running server, without its instance key', async () => {
  const server = start(['serve'], { HOLDFAST_INSTANCE_KEY: 'ab'.repeat(32) });
  const said = await printed(server, KEY);
  const url = found(/http:\S+/, said);
  const { code, stdout } = await run(['new-key']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^hf_[\w-]{43}\n$/);
  expect(stdout.trim()).not.toBe(found(KEY, said));
  expect(await whoIs(url, stdout.trim())).toEqual(OWNER);
  expect(await whoIs(url, found(KEY, said))).toEqual(OWNER);
  expect(await ended(server, 'SIGTERM')).toBe(0);
});

test('new-key where no server has been says what to do, and makes nothing', async () => {
  const { code, stdout, stderr } = await run(['new-key']);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain('HOLDFAST_DATA');
  expect((await run(['new-key'])).stderr).toContain('There is no catalog');
});

test.each([
  [['frobnicate']],
  [[]],
  [['serve', 'more']],
  [['new-key', '--ready-file', 'x']],
  [['--unknown']],
  [['recover']],
  [['recover', '--kit', 'x', '--passphrase', 'y']],
  [['serve', '--kit', 'x']],
])('%j is answered with the usage and exit code 2', async (args) => {
  const { code, stderr } = await run(args);
  expect(code).toBe(2);
  expect(stderr).toContain('Usage: holdfast serve');
  expect(stderr).toContain('holdfast new-key');
  expect(stderr).toContain('holdfast recover --kit FILE');
});

test('a signal during the start ends the server in order once it has started', async () => {
  const child = start(['serve']);
  let said = '';
  child.stdout.on('data', (chunk) => {
    said += chunk;
  });
  await expect.poll(() => existsSync(join(directory, 'data')), { timeout: 30_000, interval: 2 }).toBe(true);
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
  expect(child.exitCode).toBe(0);
  expect(said).toMatch(KEY);
});

test('compiled code is kept where nobody else can write, and the program runs where it cannot be kept', async () => {
  const kept = await run(['--help'], { HOME: directory });
  expect(kept.code).toBe(0);
  const folder = await stat(join(directory, '.cache', 'holdfast', 'compiled'));
  expect(folder.mode & 0o777).toBe(0o700);

  const homeless = await run(['--help'], { HOME: '/dev/null' });
  expect(homeless).toMatchObject({ code: 0, stderr: '' });
});
