/**
 * `npm run demo`: an application with a database and files is backed up, verified, damaged and restored by a
 * Holdfast server, through the typed client alone.
 */
import { mkdir, mkdtemp, readdir, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient, HoldfastRequestError } from '../sdk/index.ts';
import { createApplication } from './application.ts';
import { type DemoServer, startServer } from './server-process.ts';
import { tellStory } from './story.ts';
import { bad, good, line, step, styled } from './terminal.ts';

const USAGE = `npm run demo -- [options]

  --once              end after the proof; the exit code says whether it held
  --keep <directory>  work in this directory, which must be empty, and leave everything there
  --rows <number>     rows of the application's database (100000)
`;

interface Options {
  readonly once: boolean;
  readonly keep: string | undefined;
  readonly rows: number;
}

function readOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      once: { type: 'boolean', default: false },
      keep: { type: 'string' },
      rows: { type: 'string', default: '100000' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  const rows = Number(values.rows);
  if (!Number.isSafeInteger(rows) || rows < 100)
    throw new Error('--rows must be a whole number from 100 up.');
  return { once: values.once, keep: values.keep, rows };
}

async function openDirectory(keep: string | undefined): Promise<string> {
  // Real paths, for a temporary directory may be behind a link and sources must lie inside the roots.
  if (keep === undefined) return realpath(await mkdtemp(join(tmpdir(), 'holdfast-demo-')));
  const directory = resolve(keep);
  await mkdir(directory, { recursive: true });
  if ((await readdir(directory)).length > 0) throw new Error(`${directory} is not empty.`);
  return realpath(directory);
}

/** Resolves when the signal is aborted; keeps the process alive until then. */
async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((end) => {
    const alive = setInterval(() => {}, 2 ** 30);
    signal.addEventListener('abort', () => {
      clearInterval(alive);
      end();
    });
  });
}

async function serveOn(server: DemoServer, directory: string, signal: AbortSignal): Promise<void> {
  step('Yours now', 'The server keeps running. Open GraphiQL and put the key into the headers.');
  line(`GraphiQL   ${styled('cyan', `${server.url}/graphql`)}`);
  line(`headers    { "Authorization": "Bearer ${server.apiKey}" }`);
  line(`data       ${directory}`);
  console.log();
  line(styled('dim', 'Ctrl-C ends the demo.'));
  await aborted(signal);
}

async function run(options: Options, directory: string, interrupted: AbortSignal): Promise<boolean> {
  console.log(
    `\n${styled('bold', 'Holdfast')}  backs up a database and its files, and proves that it can bring them back.`,
  );
  step(
    'An application',
    'An agent platform with an SQLite database and a directory of files, made up for this demo.',
  );
  const application = await createApplication(join(directory, 'application'), options.rows);
  good(application.database);
  good(application.files);

  step(
    'A server',
    'A real Holdfast server in a process of its own. The demo talks to it through the typed client.',
  );
  const server = await startServer(directory, application.directory, interrupted);
  try {
    good(`${server.url}, process ${server.pid}`);
    const client = createClient({ url: server.url, apiKey: server.apiKey });
    const signal = AbortSignal.any([interrupted, server.died]);
    const same = await tellStory({ client, application, signal });
    console.log(
      same
        ? `\n${styled(['bold', 'green'], 'Everything is what it was: row for row, file for file.')}`
        : `\n${styled(['bold', 'red'], 'Something differs. This must not happen: please report it.')}`,
    );
    if (same && !options.once) {
      await serveOn(server, directory, signal);
      server.died.throwIfAborted();
    }
    return same;
  } finally {
    await server.stop();
  }
}

/** What went wrong, and what to do about it. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const hint = error instanceof HoldfastRequestError && error.hint !== undefined ? ` ${error.hint}` : '';
  return `${error.message}${hint}`;
}

async function main(): Promise<number> {
  const options = readOptions();
  if (options === undefined) {
    console.log(USAGE);
    return 0;
  }
  const interruption = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => interruption.abort(new Error('Interrupted.')));
  }
  const directory = await openDirectory(options.keep);
  try {
    return (await run(options, directory, interruption.signal)) ? 0 : 1;
  } finally {
    if (options.keep === undefined) await rm(directory, { recursive: true, force: true });
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  console.log();
  bad(explain(error));
  process.exitCode = 1;
}
