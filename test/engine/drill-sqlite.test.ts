import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { describe } from 'vitest';
import { sqliteApplication } from '../support/engine-application.ts';
import { drillSuite } from './drill-suite.ts';

describe('a drill of an SQLite backup', () => {
  drillSuite({
    make: sqliteApplication,
    drill: { url: null, onOwnServer: false },
    databases: async () =>
      (await readdir(tmpdir(), { recursive: true })).filter((name) => name.includes('holdfast_drill_')).sort(),
  });
});
