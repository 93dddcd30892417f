import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import type { Database } from '../../../../src/source/source.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';
import { contents, putBack, putBackUncommitted, take } from '../../../support/postgres-round-trip.ts';

const never = new AbortController().signal;

/** Everything about constraints, triggers and row security that a restore could disturb. */
const STRUCTURE = `
SELECT 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid),
       concat_ws(' ', convalidated, condeferrable, condeferred, obj_description(oid, 'pg_constraint'))
  FROM pg_constraint WHERE connamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
UNION ALL
SELECT 'trigger', tgrelid::regclass::text, tgname::text, tgenabled::text, pg_get_triggerdef(oid)
  FROM pg_trigger WHERE NOT tgisinternal
UNION ALL
SELECT 'row security', oid::regclass::text, relrowsecurity::text, relforcerowsecurity::text, ''
  FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
ORDER BY 1, 2, 3`;

describe('a restore by an owner who is no superuser', () => {
  let database: TestDatabase;
  let source: Database;
  beforeEach(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    source = openPostgres(database.url);
  });
  afterEach(() => database.dispose());

  it('fires no trigger and puts each back into its former state', async () => {
    await database.execute(
      'CREATE TABLE kind (id int PRIMARY KEY)',
      'INSERT INTO kind VALUES (1)',
      // Checked at COMMIT: outstanding checks must not keep the triggers from coming back.
      'CREATE TABLE item (id int PRIMARY KEY, name text, kind_id int DEFAULT 1 REFERENCES kind (id) DEFERRABLE INITIALLY DEFERRED)',
      'CREATE TABLE audit (what text)',
      `CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN INSERT INTO public.audit VALUES (TG_OP || ' ' || TG_NAME); RETURN NEW; END $$`,
      "INSERT INTO item VALUES (1, 'one'), (2, 'two')",
      'CREATE TRIGGER "On Insert" BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION note()',
      'CREATE TRIGGER on_replica AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION note()',
      'CREATE TRIGGER on_always AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION note()',
      'CREATE TRIGGER on_never AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION note()',
      'CREATE TRIGGER on_truncate AFTER TRUNCATE ON item FOR EACH STATEMENT EXECUTE FUNCTION note()',
      'CREATE CONSTRAINT TRIGGER at_end AFTER INSERT ON item INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note()',
      'ALTER TABLE item ENABLE REPLICA TRIGGER on_replica',
      'ALTER TABLE item ENABLE ALWAYS TRIGGER on_always',
      'ALTER TABLE item DISABLE TRIGGER on_never',
    );
    const structure = await database.query(STRUCTURE);
    const taken = await take(source, ['item']);
    await database.execute('ALTER TABLE item DISABLE TRIGGER USER', 'DELETE FROM item');
    await database.execute(
      'ALTER TABLE item ENABLE TRIGGER USER',
      'ALTER TABLE item ENABLE REPLICA TRIGGER on_replica',
      'ALTER TABLE item ENABLE ALWAYS TRIGGER on_always',
      'ALTER TABLE item DISABLE TRIGGER on_never',
    );
    await putBack(source, taken);
    expect(await database.query('SELECT id::text FROM item ORDER BY id')).toEqual([['1'], ['2']]);
    expect(await database.query('SELECT what FROM audit')).toEqual([]);
    expect(await database.query(STRUCTURE)).toEqual(structure);
  });

  it('keeps names, comments, deferrability and validity of every constraint', async () => {
    await database.execute(
      'CREATE TABLE parent (id int PRIMARY KEY, code text UNIQUE DEFERRABLE INITIALLY DEFERRED)',
      `CREATE TABLE child (id int PRIMARY KEY, parent_id int, other_id int, third_id int,
         CONSTRAINT "Odd ""name""" FOREIGN KEY (parent_id) REFERENCES parent (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
         CONSTRAINT plain FOREIGN KEY (other_id) REFERENCES parent (id) MATCH FULL ON UPDATE SET NULL)`,
      `COMMENT ON CONSTRAINT plain ON child IS 'it''s a \\ comment'`,
      "INSERT INTO parent VALUES (1, 'a'), (2, 'b')",
      'INSERT INTO child VALUES (1, 1, 2, 77)',
      'ALTER TABLE child ADD CONSTRAINT unchecked FOREIGN KEY (third_id) REFERENCES parent (id) NOT VALID',
    );
    const structure = await database.query(STRUCTURE);
    const taken = await take(source);
    const before = await contents(database.adminUrl, taken.tables);
    await database.execute('DELETE FROM child', 'DELETE FROM parent');
    await putBack(source, taken);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
    expect(await database.query(STRUCTURE)).toEqual(structure);
  });

  it('lets rows pass again that a NOT VALID check had let pass', async () => {
    await database.execute(
      'CREATE TABLE item (id int PRIMARY KEY, price int, CONSTRAINT sane CHECK (price < 1000))',
      'INSERT INTO item VALUES (1, -5), (2, 7)',
      'ALTER TABLE item ADD CONSTRAINT "not negative" CHECK (price >= 0) NOT VALID',
      `COMMENT ON CONSTRAINT "not negative" ON item IS 'since 2024'`,
      'CREATE TABLE note (what text)',
      'INSERT INTO note VALUES (NULL)',
    );
    const [version] = await database.query("SELECT current_setting('server_version_num')");
    if (Number(version?.[0]) >= 180_000) {
      await database.execute('ALTER TABLE note ADD CONSTRAINT said NOT NULL what NOT VALID');
    }
    const structure = await database.query(STRUCTURE);
    await putBack(source, await take(source));
    expect(await database.query('SELECT price::text FROM item ORDER BY id')).toEqual([['-5'], ['7']]);
    expect(await database.query('SELECT what FROM note')).toEqual([[null]]);
    expect(await database.query(STRUCTURE)).toEqual(structure);
    await expect(database.execute('INSERT INTO item VALUES (3, -1)')).rejects.toThrow('not negative');
  });

  it('lets rows pass again that a NOT VALID check of a parent or partitioned table had let pass', async () => {
    await database.execute(
      'CREATE TABLE p (id int, n int) PARTITION BY RANGE (id)',
      'CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)',
      'CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id)',
      'CREATE TABLE p2a PARTITION OF p2 FOR VALUES FROM (10) TO (15)',
      'CREATE TABLE parent (n int)',
      'CREATE TABLE child (CONSTRAINT own CHECK (n < 1000)) INHERITS (parent)',
      'CREATE TABLE both_have () INHERITS (parent)',
      'INSERT INTO p VALUES (1, -1), (11, -2)',
      'INSERT INTO parent VALUES (-3)',
      'INSERT INTO child VALUES (-4)',
      'INSERT INTO both_have VALUES (-5)',
      'ALTER TABLE p ADD CONSTRAINT later CHECK (n > 0) NOT VALID',
      'ALTER TABLE both_have ADD CONSTRAINT later CHECK (n > 0) NOT VALID',
      'ALTER TABLE parent ADD CONSTRAINT later CHECK (n > 0) NOT VALID',
      `COMMENT ON CONSTRAINT later ON p IS 'one day'`,
    );
    const taken = await take(source);
    const rows = await contents(database.adminUrl, taken.tables);
    const constraints = () =>
      database.query(
        `SELECT conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), conislocal::text, coninhcount::text,
                obj_description(oid, 'pg_constraint')
           FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2`,
      );
    const before = await constraints();
    await database.execute('DELETE FROM p', 'DELETE FROM parent');
    await putBack(source, taken);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(rows);
    expect(await constraints()).toEqual(before);
  });

  it('lets rows pass again that a NOT VALID key to a table outside had let pass', async () => {
    await database.execute(
      'CREATE TABLE parent (id int PRIMARY KEY)',
      'CREATE TABLE child (id int PRIMARY KEY, parent_id int)',
      'INSERT INTO child VALUES (1, 77)',
      'ALTER TABLE child ADD CONSTRAINT unchecked FOREIGN KEY (parent_id) REFERENCES parent (id) NOT VALID',
    );
    const structure = await database.query(STRUCTURE);
    await putBack(source, await take(source, ['child']));
    expect(await database.query('SELECT parent_id::text FROM child')).toEqual([['77']]);
    expect(await database.query(STRUCTURE)).toEqual(structure);
  });

  it('carries inheritance children and partitions, each row once, and keeps their keys', async () => {
    await database.execute(
      'CREATE TABLE base (id int)',
      'CREATE TABLE derived (extra text) INHERITS (base)',
      'INSERT INTO base VALUES (1)',
      "INSERT INTO derived VALUES (2, 'x')",
      'CREATE TABLE account (id int PRIMARY KEY)',
      `CREATE TABLE event (id bigint GENERATED BY DEFAULT AS IDENTITY, at date NOT NULL, account_id int REFERENCES account (id),
         PRIMARY KEY (id, at)) PARTITION BY RANGE (at)`,
      "CREATE TABLE event_2023 PARTITION OF event FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')",
      "CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY RANGE (at)",
      'CREATE TABLE event_2024_rest PARTITION OF event_2024 DEFAULT',
      'CREATE TABLE note (id int, event_id bigint, event_at date, FOREIGN KEY (event_id, event_at) REFERENCES event (id, at))',
      'INSERT INTO account VALUES (1), (2)',
      "INSERT INTO event (at, account_id) VALUES ('2023-05-05', 1), ('2024-06-06', 2)",
      "INSERT INTO note VALUES (1, 1, '2023-05-05'), (2, 2, '2024-06-06')",
    );
    const structure = await database.query(STRUCTURE);
    const description = await source.describe(never);
    const names = description.tables.map((table) => table.name).sort();
    expect(names).toEqual([
      'account',
      'base',
      'derived',
      'event_2023',
      'event_2024_rest',
      'note',
      'pg_largeobject',
    ]);
    expect(description.leftOut.map((left) => left.name)).toEqual(['public.event', 'public.event_2024']);
    const references = description.tables
      .find((table) => table.name === 'note')
      ?.foreignKeys.map((key) => key.references.name);
    expect(references?.sort()).toEqual(['event_2023', 'event_2024_rest']);

    const taken = await take(source);
    expect(taken.rows.map((rows) => rows.toString().split('\n').length - 1)).toEqual([2, 1, 1, 1, 1, 2]);
    expect(taken.sequences).toEqual([
      { schema: 'public', name: 'event_id_seq', lastValue: '2', isCalled: true },
    ]);
    const before = await contents(database.adminUrl, taken.tables);
    await database.execute(
      'DELETE FROM note',
      'DELETE FROM event',
      'DELETE FROM account',
      'UPDATE base SET id = 9',
    );
    await putBack(source, taken);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
    expect(await database.query(STRUCTURE)).toEqual(structure);
    await expect(database.execute("INSERT INTO note VALUES (3, 99, '2023-05-05')")).rejects.toThrow(
      /foreign key/,
    );

    // One partition alone: the keys around it come off at the partitioned table, and back on.
    const partition = await take(source, ['event_2023']);
    await putBack(source, partition);
    expect(await contents(database.adminUrl, taken.tables)).toEqual(before);
    expect(await database.query(STRUCTURE)).toEqual(structure);
  });

  it('keeps keys from tables outside of the request, and refuses when they would dangle', async () => {
    await database.execute(
      'CREATE TABLE parent (id int PRIMARY KEY)',
      'CREATE TABLE outside (id int PRIMARY KEY, parent_id int CONSTRAINT outside_key REFERENCES parent (id))',
      'INSERT INTO parent VALUES (1), (2)',
      'INSERT INTO outside VALUES (1, 1)',
    );
    const taken = await take(source, ['parent']);
    const structure = await database.query(STRUCTURE);
    await putBack(source, taken);
    expect(await database.query(STRUCTURE)).toEqual(structure);

    await database.execute('INSERT INTO parent VALUES (3)', 'INSERT INTO outside VALUES (2, 3)');
    await expect(putBack(source, taken)).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringMatching(/public\.outside.*public\.parent.*outside_key/),
    });
    expect(await database.query('SELECT count(*) FROM parent')).toEqual([['3']]);
    expect(await database.query('SELECT parent_id::text FROM outside ORDER BY id')).toEqual([['1'], ['3']]);
    expect(await database.query(STRUCTURE)).toEqual(structure);
  });

  it('sets forced row security aside and back, also after reading the rows again', async () => {
    await database.execute(
      'CREATE TABLE secret (id int PRIMARY KEY, tenant text)',
      "INSERT INTO secret VALUES (1, 'a'), (2, 'b')",
      "CREATE POLICY only_a ON secret USING (tenant = 'a')",
      'ALTER TABLE secret ENABLE ROW LEVEL SECURITY',
    );
    const taken = await take(source);
    await database.execute('ALTER TABLE secret FORCE ROW LEVEL SECURITY');
    const structure = await database.query(STRUCTURE);
    await database.asAdmin('DELETE FROM secret');
    const restore = await putBackUncommitted(source, taken);
    await restore.commit();
    expect(await database.query('SELECT id::text FROM secret ORDER BY id')).toEqual([['1'], ['2']]);
    expect(await database.query(STRUCTURE)).toEqual(structure);
    // A user from whom rows are hidden must not make backups that lack them.
    await expect(take(source)).rejects.toMatchObject({
      code: 'SOURCE_UNREACHABLE',
      message: expect.stringMatching(/row-level security.*secret/i),
    });
  });

  it('refreshes materialized views in the order they are made of each other', async () => {
    await database.execute(
      'CREATE TABLE sale (id int PRIMARY KEY, amount numeric)',
      'INSERT INTO sale VALUES (1, 10), (2, 20)',
      'CREATE MATERIALIZED VIEW by_day AS SELECT sum(amount) AS total FROM sale',
      'CREATE VIEW between_them AS SELECT total FROM by_day',
      'CREATE MATERIALIZED VIEW a_report AS SELECT total * 2 AS twice FROM between_them',
      'CREATE MATERIALIZED VIEW unpopulated AS SELECT * FROM sale WITH NO DATA',
    );
    const taken = await take(source);
    await database.execute(
      'DELETE FROM sale WHERE id = 1',
      'REFRESH MATERIALIZED VIEW by_day',
      'REFRESH MATERIALIZED VIEW a_report',
    );
    await putBack(source, taken);
    expect(await database.query('SELECT twice::text FROM a_report')).toEqual([['60']]);
    expect(
      await database.query("SELECT relispopulated::text FROM pg_class WHERE relname = 'unpopulated'"),
    ).toEqual([['false']]);
  });

  it('finds what checks and generated columns call, as the application does', async () => {
    await database.execute(
      'CREATE TABLE allowed (name text)',
      "INSERT INTO allowed VALUES ('yes')",
      "CREATE FUNCTION is_allowed(t text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM allowed WHERE name = t)'",
      'CREATE TABLE checked (name text CHECK (is_allowed(name)))',
      "INSERT INTO checked VALUES ('yes')",
    );
    await putBack(source, await take(source, ['checked']));
    expect(await database.query('SELECT name FROM checked')).toEqual([['yes']]);
  });

  it('takes exact sequence values, and a rollback takes every one of them back', async () => {
    await database.execute(
      'CREATE SEQUENCE fresh START 7',
      'CREATE SEQUENCE down INCREMENT -5 MINVALUE -100 MAXVALUE 100 START 50 CACHE 3',
      "SELECT nextval('down')",
      'CREATE TABLE t (id bigserial PRIMARY KEY)',
      "SELECT setval('t_id_seq', 9223372036854775806)",
      'CREATE TABLE unselected (id serial PRIMARY KEY)',
      'INSERT INTO unselected DEFAULT VALUES',
    );
    const taken = await take(source, ['t']);
    expect(taken.sequences).toEqual([
      { schema: 'public', name: 'down', lastValue: '40', isCalled: true },
      { schema: 'public', name: 'fresh', lastValue: '7', isCalled: false },
      { schema: 'public', name: 't_id_seq', lastValue: '9223372036854775806', isCalled: true },
    ]);
    await database.execute(
      "SELECT setval('fresh', 70)",
      "SELECT setval('down', 10)",
      "SELECT setval('t_id_seq', 5, false)",
    );
    const changed = await take(source, ['t']);
    const restore = await putBackUncommitted(source, taken);
    await restore.rollback();
    expect((await take(source, ['t'])).sequences).toEqual(changed.sequences);
    await putBack(source, taken);
    expect((await take(source, ['t'])).sequences).toEqual(taken.sequences);
  });

  it('tells of applied migrations, of what is left out, and of tables an extension brought', async () => {
    await database.asAdmin('CREATE SCHEMA drizzle', `ALTER SCHEMA drizzle OWNER TO ${database.owner}`);
    await database.execute(
      `CREATE TABLE _prisma_migrations (migration_name text, started_at timestamptz, finished_at timestamptz, rolled_back_at timestamptz)`,
      `INSERT INTO _prisma_migrations VALUES ('2_next', '2024-02-01', now(), NULL), ('1_init', '2024-01-01', now(), NULL),
         ('3_failed', '2024-03-01', NULL, NULL)`,
      'CREATE TABLE schema_migrations (unrelated text)',
      'CREATE TABLE drizzle.__drizzle_migrations (id serial, hash text, created_at bigint)',
      "INSERT INTO drizzle.__drizzle_migrations (hash) VALUES ('abc')",
      'CREATE TABLE flyway_schema_history (installed_rank int, script text, success boolean)',
      "INSERT INTO flyway_schema_history VALUES (1, 'V1', true), (2, 'V2', false)",
      'CREATE TABLE django_migrations (id int, app text, name text)',
      "INSERT INTO django_migrations VALUES (1, 'auth', '0001')",
      'CREATE VIEW seen AS SELECT 1',
    );
    const description = await source.describe(never);
    expect(description.appliedMigrations).toEqual(['1_init', '2_next', 'V1', 'abc', 'auth.0001']);
    expect(description.leftOut.map((left) => left.name)).toEqual(['public.seen']);
    expect(description.databaseName).toBe(database.owner);
    expect(description.serverVersion).toMatch(/^\d+/);
  });
});
