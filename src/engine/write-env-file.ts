/** Writes the env file into a bundle. */
import { stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { BundleWriter } from '../bundle/bundle.ts';
import { HoldfastError } from '../errors.ts';
import type { FileTree, SkippedEntry } from '../source/file-trees.ts';
import type { EngineParts } from './parts.ts';
import type { ProgressMeter } from './progress-meter.ts';

/** Writes the file at `path`. @throws HoldfastError SOURCE_UNREACHABLE, UNSAFE_PATH */
export async function writeEnvFile(
  parts: EngineParts,
  path: string,
  writer: BundleWriter,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<void> {
  const directory: FileTree = { name: 'env', path: dirname(path), include: [], exclude: [] };
  const refuse = ({ reason }: SkippedEntry): never => {
    throw new HoldfastError('SOURCE_UNREACHABLE', `The env file ${path} cannot be read: ${reason}.`, {
      hint: 'Mend its path or permissions, or make the backup without it.',
    });
  };
  await parts.trees.check(path, 'FILE');
  const { mode, mtimeNs } = await stat(path, { bigint: true });
  const file =
    (await parts.trees.open(directory, basename(path), refuse, signal)) ??
    refuse({ path: '.env', reason: 'it vanished' });
  meter.item('env file');
  await writer.addFile(
    {
      area: 'env',
      tree: '',
      path: '.env',
      mode: Number(mode & 0o7777n),
      mtimeNs: String(mtimeNs),
      kind: 'FILE',
    },
    file.content,
    meter.add,
    signal,
  );
}
