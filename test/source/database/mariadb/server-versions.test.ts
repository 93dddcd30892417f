import { afterEach, describe, expect, inject, it } from 'vitest';
import { openMariadb } from '../../../../src/source/database/mariadb/mariadb.ts';
import { createTestDatabase } from '../../../support/mariadb-database.ts';
import { putBack, take } from '../../../support/mariadb-round-trip.ts';
import { type MariadbServer, startMariadb } from '../../../support/mariadb-server.ts';

const never = new AbortController().signal;

describe.skipIf(inject('mariadbUrl') === null)('a server that says it is of another version', () => {
  let server: MariadbServer | undefined;
  afterEach(async () => {
    await server?.stop();
  });

  async function shop(version: string) {
    server = await startMariadb([`--version=${version}`]);
    const database = await createTestDatabase(server?.url ?? '');
    await database.execute(
      'CREATE TABLE item (id INT PRIMARY KEY, v TEXT)',
      "INSERT INTO item VALUES (1, 'x')",
    );
    return database;
  }

  it('too old: is refused by its version before anything is read', async () => {
    const source = openMariadb((await shop('10.5.8-MariaDB')).url);
    const refusal = {
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringMatching(/10\.5\.8 is too old: MariaDB 10\.6/),
    };
    await expect(source.describe(never)).rejects.toMatchObject(refusal);
    await expect(source.openSnapshot(never)).rejects.toMatchObject(refusal);
  }, 120_000);

  it('newer than any that is known: is backed up and restored', async () => {
    const database = await shop('19.1.2-MariaDB');
    const source = openMariadb(database.url);
    const taken = await take(source);
    await database.execute('DELETE FROM item');
    await putBack(source, taken, { schema: { mode: 'REPLACE', script: taken.script } });
    expect(await database.query('SELECT * FROM item')).toEqual([['1', 'x']]);
    expect((await source.describe(never)).serverVersion).toBe('19.1.2-MariaDB');
  }, 120_000);
});
