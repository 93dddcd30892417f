/** `holdfast serve`: starts the server, says where it is, and stops it in order. */
import { rename, writeFile } from 'node:fs/promises';
import { startApp } from '../app.ts';
import { readConfig } from '../config.ts';

/** What a supervisor reads to find a server that has just started. */
interface ReadyFile {
  readonly url: string;
  /** Only when this start made the first key. */
  readonly apiKey?: string;
}

/** Runs until a signal ends it. */
export async function serve(options: { readonly readyFile: string | undefined }): Promise<void> {
  const config = readConfig();
  const app = await startApp(config);
  console.log(`Holdfast ${config.version} listens on ${app.url}`);
  if (app.firstApiKey !== undefined) {
    console.log(
      `\nThis is the owner's API key. It is shown once and kept nowhere:\n\n  ${app.firstApiKey}\n`,
    );
  }
  if (config.development) console.log(`GraphiQL: ${app.url}/graphql`);
  if (options.readyFile !== undefined) {
    const ready: ReadyFile = {
      url: app.url,
      ...(app.firstApiKey !== undefined && { apiKey: app.firstApiKey }),
    };
    const temporary = `${options.readyFile}.tmp`;
    await writeFile(temporary, JSON.stringify(ready), { mode: 0o600 });
    await rename(temporary, options.readyFile);
  }
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve);
    process.once('SIGTERM', resolve);
  });
  await app.stop();
}
