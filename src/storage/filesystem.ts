/** Bundles in a directory of this host. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, type Stats } from 'node:fs';
import { lstat, mkdir, opendir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemErrorCode, throwIfAborted } from '../errors.ts';
import { beginUpload, syncDirectory } from './filesystem-upload.ts';
import { notAFile, openLocalFile } from './local-file.ts';
import type { Storage, StorageKey, StoredObject } from './storage.ts';
import { storageError } from './storage-error.ts';
import { folderSegments, keySegments } from './storage-key.ts';

/** Undefined when there is certainly nothing; any other fault is thrown. */
async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Opens a directory as a storage; makes it when it is not there. When it disappears later (a disk that was
 * unmounted) every call fails STORAGE_UNAVAILABLE: that the directory is gone does not mean the bundles are.
 * @throws STORAGE_UNAVAILABLE when the directory cannot be made
 */
export function openFilesystemStorage(directory: string): Storage {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw storageError(error, 'make the storage directory');
  }

  async function attempt<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw storageError(error, doing);
    }
  }

  /** "Not there" counts only while the storage itself is there. */
  async function requireDirectory(): Promise<void> {
    await lstat(join(directory, '.'));
  }

  async function makeFolders(segments: readonly string[]): Promise<void> {
    let folder = directory;
    for (const segment of segments) {
      const parent = folder;
      folder = join(parent, segment);
      try {
        await mkdir(folder, { mode: 0o700 });
        await syncDirectory(parent);
      } catch (error) {
        if (systemErrorCode(error) !== 'EEXIST') throw error;
      }
    }
  }

  async function statObject(key: StorageKey): Promise<StoredObject | undefined> {
    const stats = await lstatIfThere(join(directory, ...keySegments(key)));
    if (stats === undefined) {
      await requireDirectory();
      return undefined;
    }
    if (!stats.isFile()) throw notAFile(key);
    return { key, sizeBytes: stats.size, modifiedAt: stats.mtime };
  }

  return {
    async create(key, signal) {
      const segments = keySegments(key);
      throwIfAborted(signal);
      const final = join(directory, ...segments);
      await attempt('make a folder for bundles', () => makeFolders(segments.slice(0, -1)));
      return beginUpload(key, temporaryName(final), final, signal);
    },

    async open(key, signal) {
      const path = join(directory, ...keySegments(key));
      throwIfAborted(signal);
      await attempt(`open ${key}`, requireDirectory);
      return openLocalFile(path, key);
    },

    async stat(key, signal) {
      throwIfAborted(signal);
      return attempt(`look for ${key}`, () => statObject(key));
    },

    async delete(key, signal) {
      const path = join(directory, ...keySegments(key));
      throwIfAborted(signal);
      await attempt(`delete ${key}`, async () => {
        await requireDirectory();
        await rm(path, { force: true });
        if ((await lstatIfThere(dirname(path))) !== undefined) await syncDirectory(dirname(path));
      });
    },

    async hasFolder(folder, signal) {
      const path = join(directory, ...folderSegments(folder));
      throwIfAborted(signal);
      return attempt(`look for ${folder}`, async () => {
        try {
          // Followed when it is a link: whoever runs the host may put a workspace on a disk of its own.
          return (await stat(path)).isDirectory();
        } catch (error) {
          if (systemErrorCode(error) !== 'ENOENT') throw error;
          await requireDirectory();
          return false;
        }
      });
    },

    async *list(folder, signal) {
      const path = join(directory, ...folderSegments(folder));
      throwIfAborted(signal);
      try {
        await requireDirectory();
        if ((await lstatIfThere(path)) === undefined) return;
        for await (const item of await opendir(path)) {
          throwIfAborted(signal);
          if (!item.isFile() || item.name.startsWith('.')) continue;
          const stats = await lstatIfThere(join(path, item.name));
          if (stats?.isFile() !== true) continue;
          yield { key: `${folder}/${item.name}`, sizeBytes: stats.size, modifiedAt: stats.mtime };
        }
      } catch (error) {
        throw storageError(error, `list ${folder}`);
      }
    },

    async sweep(key, signal) {
      const path = join(directory, ...keySegments(key));
      throwIfAborted(signal);
      await attempt('remove what an interrupted backup left', () => sweepTemporaries(path));
    },
  };
}

/** Beginning with a dot, it is no key, and no list shows it. */
function temporaryName(final: string): string {
  const name = final.slice(dirname(final).length + 1);
  return join(dirname(final), `.${name}.${randomBytes(8).toString('hex')}.part`);
}

async function sweepTemporaries(final: string): Promise<void> {
  const folder = dirname(final);
  if ((await lstatIfThere(folder)) === undefined) return;
  const prefix = `.${final.slice(folder.length + 1)}.`;
  for (const name of await readdir(folder)) {
    // Exactly what temporaryName makes for this key: another key's name may begin alike.
    if (name.startsWith(prefix) && /^[0-9a-f]{16}\.part$/.test(name.slice(prefix.length))) {
      await rm(join(folder, name), { force: true });
    }
  }
  await syncDirectory(folder);
}
