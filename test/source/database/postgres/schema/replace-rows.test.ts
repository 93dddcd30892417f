import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../../src/source/database/postgres/postgres.ts';
import { createTestDatabase, type TestDatabase } from '../../../../support/postgres-database.ts';
import { contents, putBack, putBackUncommitted, take } from '../../../../support/postgres-round-trip.ts';
import { scriptOf } from '../../../../support/postgres-schema.ts';

/** More row lines than a table with indexes is loaded with as it stands. */
const MANY = 8_000;

describe('rows of tables whose structure is put back', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
  });
  afterEach(() => database.dispose());

  /** Backs up what `made` makes, changes it, puts it back (once undone), and has the database compare. */
  async function backAgain(
    made: readonly string[],
    changes: readonly string[],
    url = database.url,
  ): Promise<void> {
    await database.execute(...made);
    const source = openPostgres(url);
    const taken = await take(source);
    const script = await scriptOf(url);
    const rows = await contents(database.adminUrl, taken.tables);
    await database.execute(...changes);
    const changed = await scriptOf(url);
    const schema = { mode: 'REPLACE', script } as const;
    await (await putBackUncommitted(source, taken, { schema })).rollback();
    expect(await scriptOf(url)).toEqual(changed);
    await putBack(source, taken, { schema });
    // What a superuser makes anew belongs to it, which the script says as well.
    expect({ ...(await scriptOf(url)), notCarried: [] }).toEqual({ ...script, notCarried: [] });
    expect(await contents(database.adminUrl, taken.tables)).toEqual(rows);
    const again = await take(source);
    expect(again.sequences).toEqual(taken.sequences);
    expect(again.rows).toEqual(taken.rows);
  }

  const passed = [
    'CREATE TABLE p (id int PRIMARY KEY)',
    'CREATE TABLE t (id int PRIMARY KEY, n int, p int, note text)',
    'INSERT INTO t VALUES (1, -1, 7, NULL)',
    'ALTER TABLE t ADD CONSTRAINT later CHECK (n > 0) NOT VALID',
    'ALTER TABLE t ADD CONSTRAINT nowhere FOREIGN KEY (p) REFERENCES p NOT VALID',
    `COMMENT ON CONSTRAINT later ON t IS 'one day'`,
  ];

  it.each([
    ['as it was', ['DELETE FROM t']],
    ['changed', ['ALTER TABLE t ADD extra int']],
    ['gone', ['DROP TABLE t']],
    ['its neighbour changed', ['ALTER TABLE p ADD extra int']],
    ['its neighbour gone', ['DROP TABLE p CASCADE']],
    ['with the check gone', ['ALTER TABLE t DROP CONSTRAINT later']],
    ['with the key gone', ['ALTER TABLE t DROP CONSTRAINT nowhere']],
    ['validated', ['DELETE FROM t', 'ALTER TABLE t VALIDATE CONSTRAINT later, VALIDATE CONSTRAINT nowhere']],
  ])('pass again where NOT VALID had let them pass; the table is %s', async (_, changes) => {
    await backAgain(passed, changes);
  });

  const large = [
    'CREATE TABLE kind (id int PRIMARY KEY, name text)',
    `CREATE TABLE big (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, k int REFERENCES kind DEFERRABLE INITIALLY DEFERRED,
       up int REFERENCES big, t text UNIQUE DEFERRABLE, len int GENERATED ALWAYS AS (length(t)) STORED, x int)`,
    'CREATE INDEX big_len ON big (len) WHERE len > 5',
    'CREATE INDEX big_lower ON big (lower(t))',
    'ALTER INDEX big_lower ALTER COLUMN 1 SET STATISTICS 200',
    'ALTER TABLE kind ADD favourite int REFERENCES big DEFERRABLE',
    'CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n FROM big GROUP BY k',
    'CREATE UNIQUE INDEX totals_k ON totals (k)',
    `CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'fired'; END$$`,
    `INSERT INTO kind SELECT n, 'k' || n FROM generate_series(0, 9) AS n`,
    `INSERT INTO big (k, up, t, x) SELECT n % 10, NULLIF(n / 2, 0), repeat('value ', 5) || n, n FROM generate_series(1, ${MANY}) AS n`,
    'UPDATE kind SET favourite = id + 1',
    'REFRESH MATERIALIZED VIEW totals',
    'CREATE TRIGGER fires BEFORE INSERT OR UPDATE OR DELETE ON big FOR EACH ROW EXECUTE FUNCTION never()',
    'CREATE TRIGGER empties BEFORE TRUNCATE ON big EXECUTE FUNCTION never()',
    'ALTER TABLE big ENABLE ALWAYS TRIGGER fires',
    'ALTER TABLE big ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',
    'CREATE POLICY all_of_it ON big USING (true)',
    'ALTER TABLE big CLUSTER ON big_pkey, REPLICA IDENTITY USING INDEX big_pkey',
  ];

  it.each([
    ['nothing', []],
    ['an index gone', ['DROP INDEX big_lower']],
    ['an index changed', ['DROP INDEX big_len', 'CREATE INDEX big_len ON big (len)']],
    ['no statistics', ['ALTER INDEX big_lower ALTER COLUMN 1 SET STATISTICS -1']],
    ['a key gone', ['ALTER TABLE big DROP CONSTRAINT big_pkey CASCADE']],
    ['another parent', ['ALTER TABLE kind ADD extra int']],
    ['no parent', ['DROP TABLE kind CASCADE']],
    ['another table', ['ALTER TABLE big DROP x']],
    ['triggers off', ['ALTER TABLE big DISABLE TRIGGER USER']],
    ['row security', ['ALTER TABLE big NO FORCE ROW LEVEL SECURITY', 'DROP POLICY all_of_it ON big']],
    ['all gone', ['DROP TABLE big, kind CASCADE', 'DROP FUNCTION never']],
  ])('come back where indexes, keys and triggers are many: %s', async (_, changes) => {
    // Forced row security keeps the owner from reading.
    await backAgain(large, changes, database.adminUrl);
  });
});
