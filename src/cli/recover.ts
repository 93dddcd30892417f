/** `holdfast recover`: a fresh instance from a recovery kit and the storage. */
import { resolve } from 'node:path';
import { readConfigWith } from '../config.ts';
import { HoldfastError } from '../errors.ts';
import { recoverFromKit } from '../recover.ts';
import { plainText } from './inspect.ts';
import { askPassphrase, passphraseFrom } from './passphrase.ts';

/** What the command line says. */
export interface RecoverOptions {
  readonly kit: string;
  readonly storage: string | undefined;
  readonly data: string | undefined;
  readonly passphraseFile: string | undefined;
}

/** Milliseconds between two lines of progress. */
const EVERY_MS = 1000;
const GIB = 1024 ** 3;

/** Recovers, and says what to do next. The new API key stands alone on stdout, so that it can be piped. */
export async function recover({ kit, storage, data, passphraseFile }: RecoverOptions): Promise<void> {
  const config = readConfigWith({ HOLDFAST_DATA: data, HOLDFAST_STORAGE: storage });
  const stopping = new AbortController();
  const stop = (): void => stopping.abort(new HoldfastError('CANCELED', 'Stopped; nothing was recovered.'));
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, stop);
  let toldAt = Date.now();
  const recovered = await recoverFromKit(
    config,
    {
      kit: resolve(kit),
      async passphrase() {
        if (passphraseFile !== undefined) return await passphraseFrom(passphraseFile);
        return config.kitPassphrase ?? (await askPassphrase('Passphrase of the recovery kit: '));
      },
      onProgress({ bundles, bundlesInAll, bytes, bytesInAll }) {
        if (Date.now() - toldAt < EVERY_MS) return;
        toldAt = Date.now();
        const [done, all] = [bytes, bytesInAll].map((count) => (count / GIB).toFixed(1));
        console.error(`${bundles} of ${bundlesInAll} bundles, ${done} of ${all} GiB`);
      },
      onSkipped(name, error) {
        console.error(plainText(`Not catalogued: ${name}: ${error.code}: ${error.message}`));
      },
    },
    stopping.signal,
  );
  const { workspace, kitCreatedAt, encryptionKeys, sources, jobs, backups, apiKey } = recovered;
  const { withoutKey, withoutSource } = recovered;
  if (withoutKey > 0) {
    console.error(
      `${withoutKey} backups are sealed with a key that this kit is too old for: they do not open.`,
    );
  }
  if (withoutSource > 0) {
    console.error(
      `${withoutSource} backups are of sources that this kit does not hold: make the sources again.`,
    );
  }
  console.error(`
Recovered the workspace "${workspace}" from its kit of ${kitCreatedAt.toISOString()}:
${sources} sources, ${jobs} jobs, ${encryptionKeys} keys, ${backups} backups.

Start the server:  HOLDFAST_DATA=${config.dataDirectory} HOLDFAST_STORAGE=${config.storageDirectory} holdfast serve
Set HOLDFAST_ROOTS too; RECOVER.md in the kit says what it was. Make a new recovery kit: new backups get a new key.

This is the owner's new API key. It is shown once and kept nowhere:`);
  console.log(apiKey);
}
