import { glob } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe } from 'vitest';
import { sqliteApplication } from '../support/engine-application.ts';
import { drillSuite } from './drill-suite.ts';

describe('a drill of an SQLite backup', () => {
  drillSuite({
    make: sqliteApplication,
    trigger: [
      {
        object: 'TRIGGER forged',
        sql: "CREATE TRIGGER forged AFTER INSERT ON author BEGIN UPDATE author SET name = 'forged'; END",
        compound: true,
      },
    ],
    drill: { url: null, onOwnServer: false },
    async databases() {
      const found: string[] = [];
      const pattern = 'holdfast-{engine,drill}-*/data/temporary/*/drill/*.sqlite';
      for await (const path of glob(pattern, { cwd: tmpdir() })) found.push(path);
      return found.sort();
    },
  });
});
