import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, inject, it } from 'vitest';
import { openMariadb } from '../../../../src/source/database/mariadb/mariadb.ts';
import { createTestDatabase } from '../../../support/mariadb-database.ts';
import { contents, counters, putBack, take } from '../../../support/mariadb-round-trip.ts';

const serverUrl = inject('mariadbUrl');
const file = fileURLToPath(new URL('../../../../../shared/data/chinook-mysql.sql', import.meta.url));

describe.skipIf(serverUrl === null || !existsSync(file))('the Chinook sample database', () => {
  it('comes back over itself and into an empty database', async () => {
    const [database, empty] = [
      await createTestDatabase(serverUrl ?? ''),
      await createTestDatabase(serverUrl ?? ''),
    ];
    try {
      const script = await readFile(file, 'utf8');
      const statements = script
        .replaceAll(/\/\*.*?\*\//gs, '')
        .split(/;\s*\n/)
        .map((statement) => statement.trim())
        .filter((statement) => statement !== '' && !/^(DROP DATABASE|CREATE DATABASE|USE) /i.test(statement));
      await database.execute(...statements);
      const source = openMariadb(database.url);
      const taken = await take(source);
      const names = taken.tables.map((table) => table.name);
      expect(names).toHaveLength(11);
      const before = { rows: await contents(database, names), counters: await counters(database) };
      await database.execute(
        'DELETE FROM PlaylistTrack',
        'DELETE FROM InvoiceLine',
        "UPDATE Artist SET Name = 'x'",
      );
      await putBack(source, taken);
      expect({ rows: await contents(database, names), counters: await counters(database) }).toEqual(before);
      const target = openMariadb(empty.url);
      await putBack(target, taken, { schema: { mode: 'CREATE', script: taken.script } });
      expect({ rows: await contents(empty, names), counters: await counters(empty) }).toEqual(before);
      const { before: tables, after } = (await take(target)).script;
      expect({ tables, after }).toEqual({ tables: taken.script.before, after: taken.script.after });
    } finally {
      await database.dispose();
      await empty.dispose();
    }
  });
});
