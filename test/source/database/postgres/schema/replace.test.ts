import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../../src/source/database/postgres/postgres.ts';
import type { SchemaScript } from '../../../../../src/source/schema-script.ts';
import type { Database } from '../../../../../src/source/source.ts';
import { createTestDatabase, type TestDatabase } from '../../../../support/postgres-database.ts';
import { contents, putBack, putBackUncommitted, take } from '../../../../support/postgres-round-trip.ts';
import { everything, scriptOf } from '../../../../support/postgres-schema.ts';
import type { TakenTables } from '../../../../support/taken-tables.ts';

const SHOP = [
  `CREATE TYPE mood AS ENUM ('sad', 'happy')`,
  'CREATE TABLE kind (id integer PRIMARY KEY, name text NOT NULL UNIQUE)',
  `CREATE TABLE item (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(40) NOT NULL, mood mood DEFAULT 'sad',
     price numeric(10,2), kind integer REFERENCES kind (id), CHECK (price > 0))`,
  'CREATE INDEX item_name ON item (name)',
  `CREATE FUNCTION worth(integer) RETURNS numeric LANGUAGE sql STABLE AS 'SELECT sum(price) FROM public.item WHERE kind = $1'`,
  `CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
  'CREATE TRIGGER touched BEFORE INSERT ON item FOR EACH ROW EXECUTE FUNCTION touch()',
  'CREATE VIEW dear AS SELECT id, name, worth(kind) FROM item WHERE price > 5',
  'CREATE MATERIALIZED VIEW totals AS SELECT kind, count(*) AS n FROM item GROUP BY kind',
  `COMMENT ON COLUMN item.price IS 'in euros'`,
  `INSERT INTO kind VALUES (1, 'a'), (2, 'b')`,
  `INSERT INTO item (name, price, kind) VALUES ('one', 10, 1), ('two', 3, 2), ('three', 7, 1)`,
  'REFRESH MATERIALIZED VIEW totals',
];

describe('a restore that puts the old structure back', () => {
  let database: TestDatabase;
  let source: Database;
  let taken: TakenTables;
  let script: SchemaScript;
  let rows: Map<string, string[]>;
  beforeEach(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    source = openPostgres(database.url);
  });
  afterEach(() => database.dispose());

  async function backUp(...statements: string[]): Promise<void> {
    await database.execute(...statements);
    taken = await take(source);
    script = await scriptOf(database.url);
    rows = await contents(database.adminUrl, taken.tables);
  }

  const replace = () => ({ schema: { mode: 'REPLACE', script } as const });

  async function expectOld(): Promise<void> {
    expect(await contents(database.adminUrl, taken.tables)).toEqual(rows);
    const again = await take(
      source,
      taken.tables.map((table) => table.name),
    );
    expect(again.sequences).toEqual(taken.sequences);
  }

  it.each([
    ['nothing', []],
    ['an added column', ['ALTER TABLE item ADD COLUMN extra text DEFAULT 1']],
    ['a dropped column', ['ALTER TABLE item DROP COLUMN price CASCADE']],
    ['a renamed column', ['ALTER TABLE item RENAME COLUMN name TO title']],
    [
      'another type',
      ['DROP VIEW dear', 'ALTER TABLE item ALTER COLUMN price TYPE integer, ALTER COLUMN name TYPE text'],
    ],
    ['a table gone', ['DROP TABLE kind CASCADE']],
    ['every table gone', ['DROP TABLE kind, item CASCADE']],
    ['an enum value', [`ALTER TYPE mood ADD VALUE 'angry'`]],
    ['a longer key', ['ALTER TABLE item DROP CONSTRAINT item_pkey, ADD PRIMARY KEY (id, name)']],
    [
      'added and dropped indexes',
      [
        'DROP INDEX item_name',
        'CREATE INDEX item_price ON item (price)',
        'CREATE UNIQUE INDEX item_id ON item (id)',
      ],
    ],
    [
      'an added key and check',
      ['ALTER TABLE item ADD CHECK (id > 0), ADD CONSTRAINT self FOREIGN KEY (id) REFERENCES item (id)'],
    ],
    [
      'another body',
      [`CREATE OR REPLACE FUNCTION worth(integer) RETURNS numeric LANGUAGE sql AS 'SELECT 1.0'`],
    ],
    [
      'another result',
      [
        'DROP VIEW dear',
        'DROP FUNCTION worth',
        `CREATE FUNCTION worth(integer) RETURNS text LANGUAGE sql AS 'SELECT ''x'''`,
      ],
    ],
    ['another view', ['CREATE OR REPLACE VIEW dear AS SELECT id, name, worth(kind), 1 AS one FROM item']],
    [
      'a trigger off and one more',
      [
        'ALTER TABLE item DISABLE TRIGGER touched',
        'CREATE TRIGGER more BEFORE DELETE ON item FOR EACH ROW EXECUTE FUNCTION touch()',
      ],
    ],
    ['comments', [`COMMENT ON COLUMN item.price IS 'dollars'`, `COMMENT ON TABLE item IS 'new'`]],
    ['row security', ['ALTER TABLE item ENABLE ROW LEVEL SECURITY', 'CREATE POLICY p ON item USING (true)']],
    ['grants', ['GRANT SELECT ON item TO PUBLIC', 'REVOKE INSERT ON kind FROM CURRENT_USER']],
    [
      'a serial instead of an identity',
      [
        'ALTER TABLE item ALTER COLUMN id DROP IDENTITY',
        'CREATE SEQUENCE s OWNED BY item.id',
        `ALTER TABLE item ALTER COLUMN id SET DEFAULT nextval('s')`,
      ],
    ],
    ['an unlogged table', ['ALTER TABLE item SET UNLOGGED']],
  ])('undoes %s', async (_, changes) => {
    await backUp(...SHOP);
    await database.execute(...changes);
    const changed = await scriptOf(database.url);
    const undone = await putBackUncommitted(source, taken, replace());
    await undone.rollback();
    expect(await scriptOf(database.url)).toEqual(changed);

    await putBack(source, taken, replace());
    expect(await scriptOf(database.url)).toEqual(script);
    await expectOld();
    expect(await database.query('SELECT kind::text, n::text FROM totals ORDER BY 1')).toEqual([
      ['1', '2'],
      ['2', '1'],
    ]);
  });

  it('leaves a renamed type beside the old one', async () => {
    await backUp(...SHOP);
    await database.execute('ALTER TYPE mood RENAME TO temper');
    await putBack(source, taken, replace());
    await expectOld();
    await database.execute('DROP TYPE temper');
    expect(await scriptOf(database.url)).toEqual(script);
  });

  it('makes nothing anew that is as it was', async () => {
    await backUp(...SHOP);
    const ids = `SELECT relname::text, oid::text FROM pg_class WHERE relnamespace = 'public'::regnamespace ORDER BY 1`;
    const before = await database.query(ids);
    await putBack(source, taken, replace());
    expect(await database.query(ids)).toEqual(before);
  });

  it('leaves tables alone that the backup does not know, and puts back what ties them to the others', async () => {
    await backUp(...SHOP);
    await database.execute(
      'CREATE TABLE later (id integer PRIMARY KEY, item integer CONSTRAINT to_item REFERENCES item (id) ON DELETE CASCADE, note text)',
      `COMMENT ON CONSTRAINT to_item ON later IS 'kept'`,
      `INSERT INTO later VALUES (1, 1, 'x'), (2, NULL, 'y')`,
      'CREATE VIEW both_tables AS SELECT later.note, item.name FROM later JOIN item ON item.id = later.item',
      `COMMENT ON VIEW both_tables IS 'kept too'`,
      'GRANT SELECT ON both_tables TO PUBLIC',
      'CREATE MATERIALIZED VIEW stored AS SELECT count(*) AS n FROM both_tables',
      'CREATE UNIQUE INDEX stored_n ON stored (n)',
      'CREATE TRIGGER on_later BEFORE INSERT ON later FOR EACH ROW EXECUTE FUNCTION touch()',
      `CREATE FUNCTION of_item(i item) RETURNS integer LANGUAGE sql AS 'SELECT 1'`,
    );
    const withLater = await scriptOf(database.url);
    await database.execute(
      'ALTER TABLE item ADD COLUMN extra text',
      'ALTER TABLE kind RENAME COLUMN name TO label',
    );
    await putBack(source, taken, replace());
    await expectOld();
    expect(await scriptOf(database.url)).toEqual(withLater);
    expect(await database.query('SELECT id::text, item::text, note FROM later ORDER BY id')).toEqual([
      ['1', '1', 'x'],
      ['2', null, 'y'],
    ]);
    expect(await database.query('SELECT n::text FROM stored')).toEqual([['1']]);
  });

  async function expectRefused(message: string): Promise<void> {
    const structure = await scriptOf(database.url);
    const { tables } = await source.describe(new AbortController().signal);
    const before = await contents(database.adminUrl, tables);
    await expect(putBack(source, taken, replace())).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining(message),
    });
    expect(await scriptOf(database.url)).toEqual(structure);
    expect(await contents(database.adminUrl, tables)).toEqual(before);
  }

  it('refuses, naming it, when an unknown table has a column of a type that has to be replaced', async () => {
    await backUp(...SHOP);
    await database.execute(
      `ALTER TYPE mood ADD VALUE 'angry'`,
      'CREATE TABLE later (m mood)',
      `INSERT INTO later VALUES ('sad')`,
    );
    await expectRefused('TABLE public.later stands in the way: it needs TYPE public.mood');
  });

  it('refuses, naming it, when an unknown view reads a column that the backup does not have', async () => {
    await backUp(...SHOP);
    await database.execute(
      'ALTER TABLE item ADD COLUMN extra text',
      'CREATE VIEW reads_extra AS SELECT extra FROM item',
    );
    await expectRefused('VIEW public.reads_extra cannot be put back: column');
  });

  it('refuses, naming the key, when rows of an unknown table would point to nothing', async () => {
    await backUp(...SHOP);
    await database.execute(
      'ALTER TABLE item ADD COLUMN extra text',
      `INSERT INTO item (name) VALUES ('later')`,
      'CREATE TABLE later (item integer CONSTRAINT to_item REFERENCES item (id))',
      'INSERT INTO later SELECT max(id) FROM item',
    );
    await expectRefused('FOREIGN KEY to_item ON public.later cannot be put back');
  });

  it('refuses to replace a table that a publication names', async () => {
    await backUp(...SHOP);
    await database.execute('ALTER TABLE item ADD COLUMN extra text');
    await database.asAdmin('CREATE PUBLICATION feed FOR TABLE item');
    await expectRefused('The publication feed names the table public.item');
  });

  it('keeps a table whose rows are not restored as it stands', async () => {
    await backUp(...SHOP, 'CREATE TABLE log (id integer, what text)', `INSERT INTO log VALUES (1, 'x')`);
    await database.execute(
      'ALTER TABLE log ADD COLUMN extra text DEFAULT 5',
      'CREATE INDEX log_id ON log (id)',
      'ALTER TABLE item DROP COLUMN price CASCADE',
    );
    const log = await contents(database.adminUrl, [{ schema: 'public', name: 'log', columns: [] }]);
    const keep = taken.tables.map((table) => table.name !== 'log');
    taken = {
      ...taken,
      tables: taken.tables.filter((_, n) => keep[n]),
      rows: taken.rows.filter((_, n) => keep[n]),
    };
    rows.delete('public.log');
    await putBack(source, taken, replace());
    await expectOld();
    expect(await contents(database.adminUrl, [{ schema: 'public', name: 'log', columns: [] }])).toEqual(log);
    expect(await database.query(`SELECT indexname::text FROM pg_indexes WHERE tablename = 'log'`)).toEqual([
      ['log_id'],
    ]);
    expect(await database.query('SELECT extra FROM log')).toEqual([['5']]);
  });

  it('puts back what a default of new objects would have changed', async () => {
    await backUp(...SHOP);
    await database.execute('ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC');
    const expected = await scriptOf(database.url);
    await database.execute('ALTER TABLE item ADD COLUMN extra text');
    await putBack(source, taken, replace());
    expect(await scriptOf(database.url)).toEqual(expected);
  });

  it('gives what it makes anew to the role it belonged to', async () => {
    await backUp(...SHOP);
    await database.execute('ALTER TABLE item ADD COLUMN extra text', 'GRANT SELECT ON item TO PUBLIC');
    await putBack(openPostgres(database.adminUrl), taken, replace());
    expect(await scriptOf(database.url)).toEqual(script);
    await expectOld();
  });

  it('replaces partitioned tables, and takes partitions that came later out and in again', async () => {
    await backUp(
      'CREATE TABLE m (id integer NOT NULL, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
      `CREATE TABLE m_1 PARTITION OF m FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')`,
      'CREATE TABLE m_rest PARTITION OF m DEFAULT',
      'CREATE INDEX m_at ON m (at)',
      `INSERT INTO m VALUES (1, '2024-01-05'), (2, '2030-01-01')`,
    );
    await database.execute(
      'DROP INDEX m_at',
      'ALTER TABLE m ADD CHECK (id > 0)',
      `CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM ('2024-02-01') TO ('2024-03-01')`,
      `INSERT INTO m VALUES (3, '2024-02-02')`,
      'CREATE TABLE points (id integer, at date, FOREIGN KEY (id, at) REFERENCES m)',
      `INSERT INTO points VALUES (1, '2024-01-05'), (3, '2024-02-02')`,
    );
    await putBack(source, taken, replace());
    await expectOld();
    expect(await database.query('SELECT id::text FROM m ORDER BY id')).toEqual([['1'], ['2'], ['3']]);
    expect(
      await database.query(`SELECT count(*)::text FROM pg_inherits WHERE inhparent = 'm_at'::regclass`),
    ).toEqual([['3']]);

    await database.execute('DROP TABLE points, m_2', 'ALTER TABLE m ADD COLUMN extra text');
    await putBack(source, taken, replace());
    await expectOld();
    expect(await scriptOf(database.url)).toEqual(script);
  });

  it.each([
    'DROP TABLE m_1 CASCADE',
    'DROP TABLE m_2 CASCADE',
    'DROP TABLE m_2a CASCADE',
    'ALTER TABLE m DETACH PARTITION m_1',
    'ALTER TABLE m_1 ADD CONSTRAINT odd CHECK (id > 0)',
    'DROP SEQUENCE m_1_own_seq CASCADE',
    'DROP TYPE kinds CASCADE',
  ])('mends partitions and sequences after: %s', async (change) => {
    await backUp(
      `CREATE TYPE kinds AS ENUM ('x')`,
      'CREATE TABLE m (id integer NOT NULL, at date NOT NULL, kind kinds, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)',
      `CREATE TABLE m_1 (at date NOT NULL, kind kinds, id integer NOT NULL)`,
      `ALTER TABLE m ATTACH PARTITION m_1 FOR VALUES FROM ('2024-01-01') TO ('2024-02-01')`,
      `CREATE TABLE m_2 PARTITION OF m FOR VALUES FROM ('2024-02-01') TO ('2024-03-01') PARTITION BY RANGE (at)`,
      `CREATE TABLE m_2a PARTITION OF m_2 DEFAULT`,
      'CREATE SEQUENCE m_1_own_seq OWNED BY m_1.id',
      `ALTER TABLE m_1 ALTER COLUMN id SET DEFAULT nextval('m_1_own_seq')`,
      'CREATE INDEX m_at ON m (at)',
      'CREATE TABLE points (id integer, at date, FOREIGN KEY (id, at) REFERENCES m)',
      `INSERT INTO m VALUES (1, '2024-01-05', 'x'), (2, '2024-02-05', 'x')`,
      `INSERT INTO points SELECT id, at FROM m`,
    );
    await database.execute('TRUNCATE points', change);
    await putBack(source, taken, replace());
    expect(await scriptOf(database.url)).toEqual(script);
    await expectOld();
  });

  it('takes circles of tables, views and functions apart and closes them again', async () => {
    await backUp(
      'CREATE TABLE self (id integer, v integer)',
      `CREATE FUNCTION of_self(s self) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 3'`,
      'ALTER TABLE self ALTER COLUMN v SET DEFAULT of_self(NULL::self)',
      'ALTER TABLE self ADD CONSTRAINT sane CHECK (of_self(self.*) = 3)',
      'CREATE VIEW round AS SELECT id, 1 AS n FROM self',
      `CREATE FUNCTION of_round(r round) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1'`,
      'CREATE OR REPLACE VIEW round AS SELECT id, of_round(NULL) AS n FROM self',
      'INSERT INTO self VALUES (1)',
    );
    await database.execute('ALTER TABLE self ADD COLUMN extra text');
    await putBack(source, taken, replace());
    expect(await scriptOf(database.url)).toEqual(script);
    await expectOld();
  });

  it('brings back a schema that was dropped with all it held', async () => {
    const [[version]] = (await database.query('SHOW server_version_num')) as [[string]];
    await backUp(
      await everything(Math.floor(Number(version) / 10_000)),
      'ALTER TABLE app.cache NO FORCE ROW LEVEL SECURITY',
    );
    await database.execute('DROP SCHEMA app CASCADE');
    await putBack(source, taken, replace());
    expect(await scriptOf(database.url)).toEqual(script);
  });
});
