import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../../src/source/database/postgres/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../../../../support/postgres-database.ts';
import { loadScript } from '../../../../support/postgres-load.ts';
import {
  type DistributionServer,
  distributionBinaries,
  startDistributionServer,
} from '../../../../support/postgres-of-distribution.ts';
import { putBack, take } from '../../../../support/postgres-round-trip.ts';
import { everything, runScript, scriptOf } from '../../../../support/postgres-schema.ts';

const data = fileURLToPath(new URL('../../../../../../shared/data/', import.meta.url));
const present = existsSync(data);
const binaries = distributionBinaries();

/** What an owner who is no superuser may not make. */
const OF_SUPERUSERS = [
  'CREATE SCHEMA ext',
  'CREATE SCHEMA app',
  'CREATE EXTENSION hstore WITH SCHEMA ext',
  'CREATE EXTENSION postgres_fdw',
  'CREATE EXTENSION citext',
  'CREATE EXTENSION btree_gist',
  `COMMENT ON EXTENSION hstore IS 'mine'`,
  `CREATE TABLE app.h (id int primary key, h ext.hstore default 'a=>1', c citext unique)`,
  'CREATE INDEX h_gin ON app.h USING gin (h)',
  'CREATE TABLE app.x (a int, r tsrange, EXCLUDE USING gist (a WITH =, r WITH &&))',
  `CREATE SERVER far TYPE 't' VERSION '1' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'localhost', dbname 'x')`,
  'GRANT USAGE ON FOREIGN SERVER far TO PUBLIC',
  `CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'x', password 'secret')`,
  `CREATE FOREIGN TABLE app.ft (id int OPTIONS (column_name 'ident') NOT NULL, t text COLLATE "C" DEFAULT 'x', CHECK (id > 0)) SERVER far OPTIONS (table_name 'other')`,
  `COMMENT ON FOREIGN TABLE app.ft IS 'far away'`,
  `COMMENT ON COLUMN app.ft.id IS 'ident'`,
  'CREATE VIEW app.fv AS SELECT * FROM app.ft',
  `CREATE FUNCTION app.et() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'`,
  `CREATE EVENT TRIGGER noted ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'DROP TABLE') EXECUTE FUNCTION app.et()`,
  'ALTER EVENT TRIGGER noted ENABLE ALWAYS',
  'CREATE TYPE app.mytext',
  `CREATE FUNCTION app.mytext_in(cstring) RETURNS app.mytext LANGUAGE internal IMMUTABLE STRICT AS 'textin'`,
  `CREATE FUNCTION app.mytext_out(app.mytext) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout'`,
  'CREATE TYPE app.mytext (INPUT = app.mytext_in, OUTPUT = app.mytext_out, INTERNALLENGTH = VARIABLE)',
  'CREATE TABLE app.uses (m app.mytext)',
  'CREATE VIEW app.uses_v AS SELECT * FROM app.uses',
  'CREATE OPERATOR CLASS app.oc FOR TYPE int4 USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint4cmp(int4,int4)',
  'CREATE TABLE app.oct (a int)',
  'CREATE INDEX oct_i ON app.oct (a app.oc)',
  'CREATE PUBLICATION feed FOR TABLE app.oct',
  'CREATE ROLE reader_x',
  'CREATE ROLE writer_x',
  'GRANT SELECT ON app.h TO reader_x WITH GRANT OPTION',
  'GRANT INSERT (id) ON app.h TO writer_x',
  'CREATE POLICY pp ON app.h TO reader_x USING (true)',
  'CREATE TABLE app.ownedby (a serial)',
  'ALTER TABLE app.ownedby OWNER TO CURRENT_USER',
  'ALTER DEFAULT PRIVILEGES FOR ROLE writer_x IN SCHEMA app GRANT SELECT ON TABLES TO reader_x',
];

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

  it('makes again what takes a superuser, and names what it cannot', async () => {
    await twoDatabases(server.url, async (from, to) => {
      await from.asAdmin(...OF_SUPERUSERS);
      const script = await scriptOf(from.adminUrl);
      expect(script.notCarried.map((left) => left.name)).toEqual([
        'FUNCTION app.mytext_in(cstring)',
        'FUNCTION app.mytext_out(app.mytext)',
        'INDEX app.oct_i',
        'OPERATOR CLASS app.oc',
        'OPERATOR FAMILY app.oc',
        'TABLE app.uses',
        'TYPE app.mytext',
        'VIEW app.uses_v',
        'publication feed',
        'role reader_x',
        'role writer_x',
        'user mapping for postgres on server far',
      ]);
      expect(JSON.stringify(script)).not.toContain('secret');
      await runScript(to.adminUrl, script);
      // What is left out has to be gone before the two can be compared.
      await from.asAdmin(
        'DROP TABLE app.uses CASCADE',
        'DROP TYPE app.mytext CASCADE',
        'DROP OPERATOR FAMILY app.oc USING btree CASCADE',
        'DROP PUBLICATION feed',
        'DROP USER MAPPING FOR CURRENT_USER SERVER far',
      );
      expect(await dumped(to)).toBe(await dumped(from));
      expect(await scriptOf(to.adminUrl)).toEqual(await scriptOf(from.adminUrl));
      expect((await scriptOf(from.url)).notCarried.map((left) => left.name)).toContain('EVENT TRIGGER noted');
    });
  });

  it('refuses to restore as a mere owner what takes a superuser, unless that is there already', async () => {
    await twoDatabases(server.url, async (from, to) => {
      await from.asAdmin('CREATE SCHEMA ext', 'CREATE EXTENSION postgres_fdw WITH SCHEMA ext');
      await from.execute('CREATE TABLE t (id int)', 'INSERT INTO t VALUES (1)');
      const taken = await take(openPostgres(from.url));
      const schema = { mode: 'CREATE', script: await scriptOf(from.url) } as const;
      await expect(putBack(openPostgres(to.url), taken, { schema })).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining('may not create the extension postgres_fdw'),
        hint: expect.stringContaining('CREATE EXTENSION "postgres_fdw";'),
      });
      await to.asAdmin('CREATE SCHEMA ext', 'CREATE EXTENSION postgres_fdw WITH SCHEMA ext');
      await putBack(openPostgres(to.url), taken, { schema });
      expect(await to.query('SELECT id::text FROM t')).toEqual([['1']]);
    });
  });
});
