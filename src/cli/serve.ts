/** `holdfast serve`: starts the server, says where it is, and stops it in order. */
import { rename, rm, writeFile } from 'node:fs/promises';
import { type App, startApp } from '../app.ts';
import { type Config, readConfig } from '../config.ts';
import { HoldfastError } from '../errors.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** What a supervisor reads to find a server that has just started. */
interface ReadyFile {
  readonly url: string;
  /** Only when this start made the first key. */
  readonly apiKey?: string;
}

/**
 * Runs until a signal ends it. A signal that comes while the server still starts ends it in order once it has: whatever
 * was begun is finished, and a first key is shown. A second one ends the process at once.
 */
export async function serve(options: { readonly readyFile: string | undefined }): Promise<void> {
  const signalled = new Promise<void>((resolve) => {
    const first = (): void => {
      for (const name of SIGNALS) process.removeListener(name, first);
      resolve();
    };
    for (const name of SIGNALS) process.on(name, first);
  });
  const config = readConfig();
  const app = await startApp(config);
  try {
    // Before anything else can fail.
    sayWhere(app, config);
    if (options.readyFile !== undefined) await writeReadyFile(options.readyFile, app);
    await signalled;
  } finally {
    await app.stop();
  }
}

function sayWhere(app: App, config: Config): void {
  console.log(`Holdfast ${config.version} listens on ${app.url}`);
  if (app.firstApiKey !== undefined) {
    console.log(
      `\nThis is the owner's API key. It is shown once and kept nowhere:\n\n  ${app.firstApiKey}\n`,
    );
  }
  if (config.development) console.log(`GraphiQL: ${app.url}/graphql`);
}

/** @throws HoldfastError STORAGE_UNAVAILABLE when it cannot be written */
async function writeReadyFile(file: string, app: App): Promise<void> {
  const ready: ReadyFile = {
    url: app.url,
    ...(app.firstApiKey !== undefined && { apiKey: app.firstApiKey }),
  };
  const temporary = `${file}.tmp`;
  try {
    // A file that is there already would keep its own mode, and the key is in it.
    await rm(temporary, { force: true });
    await writeFile(temporary, JSON.stringify(ready), { mode: 0o600, flag: 'wx' });
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new HoldfastError('STORAGE_UNAVAILABLE', `The ready file ${file} cannot be written.`, {
      hint: 'Give a file in a directory that the user who runs Holdfast may write to.',
      cause,
    });
  }
}
