import { glob } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe } from 'vitest';
import { sqliteApplication } from '../support/engine-application.ts';
import { drillSuite } from './drill-suite.ts';

describe('a drill of an SQLite backup', () => {
  drillSuite({
    make: sqliteApplication,
    spoil: {
      column: (sql) => sql.replace('name TEXT NOT NULL', "name TEXT NOT NULL CHECK (name <> 'Grace')"),
      told: /does not restore: .*author/,
    },
    drill: { url: null, onOwnServer: false },
    async databases() {
      const found: string[] = [];
      const pattern = 'holdfast-{engine,drill}-*/data/temporary/*/drill/*.sqlite';
      for await (const path of glob(pattern, { cwd: tmpdir() })) found.push(path);
      return found.sort();
    },
  });
});
