import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../../src/source/database/postgres/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../../../../support/postgres-database.ts';
import { loadScript } from '../../../../support/postgres-load.ts';
import { contents, putBack, putBackUncommitted, take } from '../../../../support/postgres-round-trip.ts';
import { everything, scriptOf } from '../../../../support/postgres-schema.ts';

const never = new AbortController().signal;
const data = fileURLToPath(new URL('../../../../../../shared/data/', import.meta.url));

describe('a restore into an empty database', () => {
  let from: TestDatabase;
  let to: TestDatabase;
  beforeEach(async () => {
    from = await createTestDatabase(inject('postgresUrl'));
    to = await createTestDatabase(inject('postgresUrl'));
  });
  afterEach(async () => {
    await to.dispose();
    await from.dispose();
  });

  /** Restores `from` into `to`, once undone and once for good; the databases say whether they are the same. */
  async function restoreWhole(asSuperuser = false): Promise<void> {
    const url = (database: TestDatabase): string => (asSuperuser ? database.adminUrl : database.url);
    const taken = await take(openPostgres(url(from)));
    const script = await scriptOf(url(from));
    const target = openPostgres(url(to));
    expect((await target.describe(never)).empty).toBe(true);
    const schema = { mode: 'CREATE', script } as const;
    await (await putBackUncommitted(target, taken, { schema })).rollback();
    expect((await target.describe(never)).empty).toBe(true);

    await putBack(target, taken, { schema });
    expect((await target.describe(never)).empty).toBe(false);
    expect(await scriptOf(url(to))).toEqual(script);
    expect(await contents(to.adminUrl, taken.tables)).toEqual(await contents(from.adminUrl, taken.tables));
    const again = await take(target);
    expect(again.rows).toEqual(taken.rows);
    expect(again.sequences).toEqual(taken.sequences);
  }

  it('brings structure, rows, sequences and filled views back', async () => {
    const [[version]] = (await from.query('SHOW server_version_num')) as [[string]];
    await from.execute(await everything(Math.floor(Number(version) / 10_000)));
    await from.execute(
      `INSERT INTO app.person (name, mail, price, boss) VALUES ('a', 'a@x', 11, 7), ('b', 'b@x', 5, 7), ('c', 'c@x', 20, 10)`,
      'ALTER TABLE app.person DROP CONSTRAINT let_pass',
      'ALTER TABLE app.person ADD CONSTRAINT let_pass CHECK (boss <> 7) NOT VALID',
      `INSERT INTO app.event (at, kind, person) VALUES ('2023-05-05', 'x', 7), ('2024-03-03', 'y', 10), ('2024-09-09', 'z', 10), ('2030-01-01', 'w', NULL)`,
      `INSERT INTO app.sports_car (id, label) VALUES (1, 'fast')`,
      `INSERT INTO app.car (id, label) VALUES (2, 'slow')`,
      // Forced, it keeps its owner from reading it: see below.
      'ALTER TABLE app.cache NO FORCE ROW LEVEL SECURITY',
      `INSERT INTO app.cache VALUES ('k', '{"a": null}')`,
      `INSERT INTO "Odd Name.with/dots"."T.a""b" VALUES (1, 's', NULL)`,
      `INSERT INTO "Odd Name.with/dots".b VALUES (1, 1)`,
      'INSERT INTO nothing_at_all DEFAULT VALUES',
      'INSERT INTO app.hashed SELECT generate_series(1, 20)',
      `SELECT setval('app.tickets', 500)`,
      'REFRESH MATERIALIZED VIEW app.summary',
    );
    await restoreWhole();
    expect(await to.query('SELECT mood::text, n::text FROM app.summary')).toEqual([['ok', '3']]);
    expect(await to.query('SELECT count(*)::text FROM app.event')).toEqual([['4']]);
  });

  it.skipIf(!existsSync(data))(
    'brings Sakila back (run when ../shared/data is beside the repository)',
    async () => {
      await loadScript(from.adminUrl, `${data}sakila-postgres-schema.sql`);
      await loadScript(from.adminUrl, `${data}sakila-postgres-data.sql`);
      await restoreWhole(true);
    },
  );

  it.skipIf(!existsSync(data))(
    'brings Chinook back (run when ../shared/data is beside the repository)',
    async () => {
      await loadScript(from.url, `${data}chinook-postgres.sql`, /^(\\|DROP DATABASE|CREATE DATABASE)/);
      await restoreWhole();
    },
  );

  it('can be read back before it is decided, also where row security is forced', async () => {
    await from.execute(
      'CREATE TABLE secret (id int PRIMARY KEY)',
      'INSERT INTO secret VALUES (1), (2)',
      'ALTER TABLE secret ENABLE ROW LEVEL SECURITY',
      'ALTER TABLE secret FORCE ROW LEVEL SECURITY',
    );
    await from.asAdmin(`ALTER ROLE ${from.owner} BYPASSRLS`);
    const taken = await take(openPostgres(from.url));
    const schema = { mode: 'CREATE', script: await scriptOf(from.url) } as const;
    const target = openPostgres(to.url);
    const table = { schema: 'public', name: 'secret', columns: ['id'] };
    const restore = await target.beginRestore(
      {
        tables: [table],
        schema,
        clearedColumns: [],
        lockTimeoutMs: 2_000,
        endSessions: false,
        restoreId: 'r',
      },
      never,
    );
    await restore.clear(never);
    async function* rows() {
      yield taken.rows[0] ?? Buffer.alloc(0);
    }
    expect(await restore.load(table, rows(), never)).toBe(2);
    await restore.finish([], never);
    const read: Buffer[] = [];
    for await (const chunk of restore.readRows(table, never)) read.push(Buffer.from(chunk));
    expect(Buffer.concat(read).equals(taken.rows[0] ?? Buffer.alloc(0))).toBe(true);
    await restore.ticket();
    await restore.commit();
    expect(await to.query(`SELECT relforcerowsecurity::text FROM pg_class WHERE relname = 'secret'`)).toEqual(
      [['true']],
    );
  });

  it('checks rules that read other tables once all rows are there, with names found as in the application', async () => {
    await from.execute(
      `CREATE FUNCTION is_allowed(text) RETURNS boolean LANGUAGE plpgsql STABLE AS
         'BEGIN RETURN EXISTS (SELECT FROM words WHERE word = $1); END'`,
      'CREATE TABLE words (word text)',
      'CREATE TABLE a_note (word text CONSTRAINT known CHECK (is_allowed(word)))',
      `INSERT INTO words VALUES ('x')`,
      `INSERT INTO a_note VALUES ('x')`,
    );
    await restoreWhole();
    await expect(to.execute(`INSERT INTO a_note VALUES ('y')`)).rejects.toThrow('known');
  });

  it('says which object it was that could not be made, and leaves nothing behind', async () => {
    const taken = { tables: [], rows: [], sequences: [] };
    const script = {
      before: [
        { object: 'TABLE public.t', sql: 'CREATE TABLE public.t (id int)' },
        { object: 'TABLE public.u', sql: 'CREATE TABLE public.u (id nonsense)' },
      ],
      after: [],
      notCarried: [],
    };
    const target = openPostgres(to.url);
    await expect(putBack(target, taken, { schema: { mode: 'CREATE', script } })).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining('TABLE public.u cannot be made: type "nonsense" does not exist'),
    });
    expect((await target.describe(never)).empty).toBe(true);
  });

  it('refuses extensions that are not offered before anything else', async () => {
    const script = {
      before: [
        { object: 'TABLE public.t', sql: 'CREATE TABLE public.t (id int)' },
        { object: 'EXTENSION no_such_thing', sql: 'CREATE EXTENSION no_such_thing' },
      ],
      after: [],
      notCarried: [],
    };
    const request = {
      schema: { mode: 'CREATE', script } as const,
      tables: [],
      clearedColumns: [],
      lockTimeoutMs: 2_000,
      endSessions: false,
      restoreId: 'r',
    };
    await expect(openPostgres(to.url).beginRestore(request, never)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: 'This server does not offer the extension no_such_thing.',
    });
  });

  it('refuses a database that holds something', async () => {
    await to.execute("CREATE TYPE public.left_over AS ENUM ('x')");
    expect((await openPostgres(to.url).describe(never)).empty).toBe(false);
    const schema = { mode: 'CREATE', script: await scriptOf(from.url) } as const;
    const taken = await take(openPostgres(from.url));
    await expect(putBack(openPostgres(to.url), taken, { schema })).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
    });
  });
});
