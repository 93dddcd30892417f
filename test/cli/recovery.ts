/** A Holdfast with an application to back up, that loses its data directory and is recovered by the command line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import Database from 'better-sqlite3';
import { createClient, type HoldfastClient, unwrap } from '../../client/sdk/index.ts';
import { type App, startApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
export const PASSPHRASE = 'correct horse battery staple';

/** The environment, less what the tests themselves are told by. */
export const environment: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('HOLDFAST_')),
);

/** A directory with an application, a storage and a data directory. */
export class Ground {
  readonly directory: string;
  #app: App | undefined;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(): Promise<Ground> {
    const ground = new Ground(await realpath(await mkdtemp(join(tmpdir(), 'holdfast-recover-'))));
    await mkdir(join(ground.path('application'), 'files'), { recursive: true });
    const database = new Database(ground.path('application/app.db'));
    database.exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY, big INTEGER, note TEXT);
      INSERT INTO orders VALUES (1, 9007199254740993, 'one'), (2, NULL, 'zwölf "2"');`);
    database.close();
    await writeFile(join(ground.path('application'), 'files', 'read me.txt'), 'kept');
    return ground;
  }

  path(relative: string): string {
    return join(this.directory, relative);
  }

  get settings(): Record<string, string> {
    return {
      HOLDFAST_DATA: this.path('data'),
      HOLDFAST_STORAGE: this.path('bundles'),
      HOLDFAST_ROOTS: this.path('application'),
      HOLDFAST_PORT: '0',
      HOLDFAST_LOG_LEVEL: 'silent',
    };
  }

  /** Starts a server; without a key, as the owner that this start makes. */
  async serve(apiKey?: string, settings: Record<string, string> = {}): Promise<HoldfastClient> {
    this.#app = await startApp(readConfig({ ...this.settings, ...settings }));
    return createClient({ url: this.#app.url, apiKey: apiKey ?? this.#app.firstApiKey });
  }

  async stop(): Promise<void> {
    await this.#app?.stop();
    this.#app = undefined;
  }

  /** A source of everything of the application. */
  async addSource(client: HoldfastClient): Promise<string> {
    const { source } = unwrap(
      await client.createSource({
        name: 'App',
        database: { sqlite: { path: this.path('application/app.db') } },
        trees: [{ name: 'files', path: this.path('application/files') }],
      }),
    );
    return source.id;
  }

  /** Downloads a kit to `kit.age`. */
  async downloadKit(client: HoldfastClient, passphrase = PASSPHRASE): Promise<string> {
    const kit = unwrap(await client.createRecoveryKit({ passphrase }));
    const response = await fetch(kit.downloadUrl);
    if (!response.ok) throw new Error(`the kit could not be downloaded: ${response.status}`);
    await writeFile(this.path('kit.age'), Buffer.from(await response.arrayBuffer()));
    return this.path('kit.age');
  }

  /** The words of a command of ours. */
  command(args: readonly string[]): string[] {
    return [process.execPath, '--no-warnings', MAIN, ...args];
  }

  /** A command, started. */
  start(args: readonly string[], settings: Record<string, string> = {}) {
    const [program = '', ...words] = this.command(args);
    return spawn(program, words, {
      cwd: this.directory,
      env: { ...environment, ...settings },
    });
  }

  /** A command, run to its end. */
  async run(args: readonly string[], settings: Record<string, string> = {}) {
    const child = this.start(args, settings);
    child.stdin.end();
    const [stdout, stderr] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    return { code: child.exitCode, stdout, stderr };
  }

  /** `holdfast recover` of `kit.age`. */
  recover(settings: Record<string, string> = {}, ...more: string[]) {
    return this.run(
      [
        ...['recover', '--kit', this.path('kit.age'), '--storage', this.path('bundles')],
        ...['--data', this.path('data'), ...more],
      ],
      { HOLDFAST_KIT_PASSPHRASE: PASSPHRASE, ...settings },
    );
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Waits for a record; resolves to its backup. */
export async function finished(client: HoldfastClient, recordId: string) {
  for await (const _ of client.followRecord(recordId)) {
    // Every event is passed over; the stream ends with the record.
  }
  const record = await client.record(recordId);
  if (record?.status !== 'SUCCEEDED') throw new Error(`failed: ${JSON.stringify(record?.error)}`);
  return record;
}

/** Makes a backup of everything; resolves to its id. */
export async function backUp(
  client: HoldfastClient,
  sourceId: string,
  change: Partial<Parameters<HoldfastClient['createBackup']>[0]> = {},
): Promise<string> {
  const { record } = unwrap(await client.createBackup({ sourceId, ...change }));
  const { backup } = await finished(client, record.id);
  if (backup == null) throw new Error('no backup was made');
  return backup.id;
}
