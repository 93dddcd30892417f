import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../support/postgres-database.ts';
import { loadScript } from '../../../../support/postgres-load.ts';
import {
  type DistributionServer,
  distributionBinaries,
  startDistributionServer,
} from '../../../../support/postgres-of-distribution.ts';
import { everything, runScript, scriptOf } from '../../../../support/postgres-schema.ts';

const data = fileURLToPath(new URL('../../../../../../shared/data/', import.meta.url));
const present = existsSync(data);
const binaries = distributionBinaries();

/** Two databases of one owner, who is no superuser. */
async function twoDatabases(url: string, work: (from: TestDatabase, to: TestDatabase) => Promise<void>) {
  const from = await createTestDatabase(url);
  const to = await createTestDatabase(url);
  try {
    await work(from, to);
  } finally {
    await to.dispose();
    await from.dispose();
  }
}

describe('the script of a database', () => {
  it('makes everything again that this version of PostgreSQL offers', async () => {
    await twoDatabases(inject('postgresUrl'), async (from, to) => {
      const [[version]] = (await from.query('SHOW server_version_num')) as [[string]];
      await from.execute(await everything(Math.floor(Number(version) / 10_000)));
      const script = await scriptOf(from.url);
      expect(script.notCarried).toEqual([]);
      await runScript(to.url, script);
      const again = await scriptOf(to.url);
      expect(again).toEqual(script);
      expect(script.before.length + script.after.length).toBeGreaterThan(200);
    });
  });
});

describe.skipIf(binaries === undefined)('the script of a database, as pg_dump sees it', () => {
  let server: DistributionServer;
  beforeAll(async () => {
    server = await startDistributionServer(binaries ?? '');
  });
  afterAll(() => server.stop());

  /** Owners have names of their own here, and grants stand in the order in which they were given. */
  async function dumped(database: TestDatabase): Promise<string> {
    const text = (await server.dump(database.adminUrl)).replaceAll(database.owner, 'owner');
    return text.replace(/(^GRANT .*\n)+/gm, (lines) => lines.split('\n').sort().join('\n'));
  }

  /** pg_dump says the same of a database and of one that was made by its script. */
  async function compare(fill: (from: TestDatabase) => Promise<void>, asSuperuser = false): Promise<void> {
    await twoDatabases(server.url, async (from, to) => {
      await fill(from);
      const url = (database: TestDatabase): string => (asSuperuser ? database.adminUrl : database.url);
      await runScript(url(to), await scriptOf(url(from)));
      expect(await dumped(to)).toBe(await dumped(from));
      expect(await scriptOf(url(to))).toEqual(await scriptOf(url(from)));
    });
  }

  it('makes everything again', () => compare(async (from) => from.execute(await everything(server.major))));

  it.skipIf(!present)('makes Sakila again (run when ../shared/data is beside the repository)', () =>
    compare(async (from) => loadScript(from.adminUrl, `${data}sakila-postgres-schema.sql`), true),
  );

  it.skipIf(!present)('makes Chinook again (run when ../shared/data is beside the repository)', () =>
    compare((from) =>
      loadScript(from.url, `${data}chinook-postgres.sql`, /^(\\|DROP DATABASE|CREATE DATABASE)/),
    ),
  );
});
