import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { openSqlite } from '../../src/source/database/sqlite/sqlite.ts';
import { killedRestore } from '../support/sqlite-killed-restore.ts';
import { type DatabaseFixture, describeDatabase, libraryTables } from './database.ts';

const paths = new WeakMap<DatabaseFixture, string>();

describeDatabase({
  kind: 'SQLITE',
  schema: null,
  async createFixture() {
    const directory = await mkdtemp(join(tmpdir(), 'holdfast-conformance-'));
    const path = join(directory, 'library.sqlite');
    // The application's connection, with foreign keys enforced as better-sqlite3 does.
    const application = new Database(path);
    // Others can write under a snapshot only in this mode.
    application.pragma('journal_mode = WAL');
    for (const statement of libraryTables('INTEGER PRIMARY KEY AUTOINCREMENT', true))
      application.exec(statement);
    const fixture: DatabaseFixture = {
      database: openSqlite(path),
      execute: async (...statements) => {
        for (const statement of statements) application.exec(statement);
      },
      query: async (sql) =>
        application
          .prepare<[], unknown[]>(sql)
          .raw()
          .all()
          .map((row) => row.map((value) => (value === null ? null : String(value)))),
      dispose: async () => {
        application.close();
        rmSync(directory, { recursive: true, force: true });
      },
    };
    paths.set(fixture, path);
    return fixture;
  },
  killRestore: (fixture, restore, when) =>
    killedRestore({ ...restore, path: paths.get(fixture) ?? '', when }),
});
