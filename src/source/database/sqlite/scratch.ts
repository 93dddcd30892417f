/** Scratch databases of SQLite: files beside the one that stands for the server. */
import { open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { HoldfastError, systemErrorCode, throwIfAborted } from '../../../errors.ts';
import type { Database, ScratchGround } from '../../source.ts';
import { checkScratchName } from '../scratch-name.ts';

/** What SQLite keeps beside a database file. */
const COMPANIONS = ['', '-journal', '-wal', '-shm'];

/** @param openAt opens the database in a file */
export function sqliteScratch(path: string, openAt: (path: string) => Database): ScratchGround {
  const at = (name: string): string => {
    checkScratchName(name);
    return join(dirname(path), `${name}.sqlite`);
  };
  return {
    check: async () => undefined,
    // An empty file takes its encoding from the first connection: UTF-8, as row lines are.
    textSettings: async () => ({}),
    async create(name, _like, signal) {
      throwIfAborted(signal);
      const file = at(name);
      try {
        await (await open(file, 'wx', 0o600)).close();
      } catch (error) {
        const code = systemErrorCode(error);
        if (code === 'EEXIST') {
          throw new HoldfastError('INVALID_INPUT', `There is a file ${name}.sqlite already.`, {
            cause: error,
          });
        }
        if (code === 'ENOSPC' || code === 'EDQUOT') {
          throw new HoldfastError('STORAGE_FULL', 'There is no room for the scratch database.', {
            hint: 'Free space in the data directory.',
            cause: error,
          });
        }
        throw error;
      }
      return { database: openAt(file), warnings: [] };
    },
    async drop(name) {
      for (const companion of COMPANIONS) await rm(`${at(name)}${companion}`, { force: true });
    },
  };
}
