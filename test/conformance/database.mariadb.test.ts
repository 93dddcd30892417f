import { describe, inject, it } from 'vitest';
import { openMariadb } from '../../src/source/database/mariadb/mariadb.ts';
import { createTestDatabase, killedRestore } from '../support/mariadb-database.ts';
import { type DatabaseFixture, describeDatabase, libraryTables } from './database.ts';

const serverUrl = inject('mariadbUrl');
const urls = new WeakMap<DatabaseFixture, string>();

if (serverUrl === null) {
  describe('MARIADB as a Database', () => it.skip('needs a MariaDB server', () => {}));
} else {
  describeDatabase({
    kind: 'MARIADB',
    schema: null,
    async createFixture() {
      const database = await createTestDatabase(serverUrl);
      await database.execute(...libraryTables('integer AUTO_INCREMENT PRIMARY KEY', false));
      const fixture: DatabaseFixture = {
        database: openMariadb(database.url),
        // A backslash in the suite's rows is a backslash.
        execute: (...statements) =>
          database.execute("SET sql_mode = 'STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES'", ...statements),
        query: database.query,
        dispose: database.dispose,
      };
      urls.set(fixture, database.url);
      return fixture;
    },
    killRestore: (fixture, restore, when) =>
      killedRestore({ ...restore, url: urls.get(fixture) ?? '', when }),
  });
}
