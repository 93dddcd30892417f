/** Where a restore would write the env file. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Manifest } from '../bundle/manifest.ts';
import type { SourceRow } from '../catalog/catalog.ts';
import type { Selection } from './engine.ts';

/** The env file of a restore. */
export interface PlannedEnvFile {
  /** Where it goes; null when it is not restored. */
  readonly path: string | null;
  /** Whether that is the file it was read from. */
  readonly overwritesItself: boolean;
  readonly refusals: readonly string[];
}

/** Finds out where the env file goes. */
export async function planEnvFile(
  target: SourceRow,
  manifest: Manifest,
  selection: Selection,
): Promise<PlannedEnvFile> {
  if (!selection.envFile) return notRestored([]);
  if (!manifest.envFile) return notRestored(['The bundle holds no env file.']);
  if (target.envFile?.restorePath == null) {
    return notRestored([`The source ${target.name} has no path to restore the env file to.`]);
  }
  const { path: readFrom, restorePath: path } = target.envFile;
  return { path, overwritesItself: await isSameFile(path, readFrom), refusals: [] };
}

function notRestored(refusals: readonly string[]): PlannedEnvFile {
  return { path: null, overwritesItself: false, refusals };
}

/** Two ways to write a path, or a link, may lead to one file. */
async function isSameFile(a: string, b: string): Promise<boolean> {
  if (resolve(a) === resolve(b)) return true;
  const [one, other] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}
