import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openMariadb } from '../../../../src/source/database/mariadb/mariadb.ts';
import type { Database } from '../../../../src/source/source.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/mariadb-database.ts';
import { putBack, type Taken, take } from '../../../support/mariadb-round-trip.ts';
import { loadTaken } from '../../../support/taken-tables.ts';

const serverUrl = inject('mariadbUrl');
const never = new AbortController().signal;

describe.skipIf(serverUrl === null)('putting an old structure back over one that changed', () => {
  let database: TestDatabase;
  let source: Database;
  let taken: Taken;
  beforeEach(async () => {
    database = await createTestDatabase(serverUrl ?? '');
    source = openMariadb(database.url);
    await database.execute(
      'CREATE TABLE customer (id INT PRIMARY KEY, name TEXT)',
      'CREATE TABLE log (id INT PRIMARY KEY, customer_id INT, what TEXT, KEY customer_id (customer_id), CONSTRAINT log_customer FOREIGN KEY (customer_id) REFERENCES customer (id))',
      'CREATE TABLE gone (id INT PRIMARY KEY, v INT DEFAULT 7)',
      'CREATE TRIGGER log_in BEFORE INSERT ON log FOR EACH ROW SET NEW.what = UPPER(NEW.what)',
      `CREATE TRIGGER ${database.name}.customer_in BEFORE INSERT ON ${database.name}.customer FOR EACH ROW SET NEW.name = UPPER(NEW.name)`,
      "INSERT INTO customer VALUES (1, 'Ada')",
      "INSERT INTO log VALUES (1, 1, 'kept')",
      'INSERT INTO gone VALUES (1, 1)',
    );
    taken = await take(source, ['customer']);
  });
  afterEach(() => database.dispose());

  const replace = () => putBack(source, taken, { schema: { mode: 'REPLACE', script: taken.script } });
  const definition = async (table: string) => (await database.query(`SHOW CREATE TABLE ${table}`))[0]?.[1];
  const tables = () => database.query('SHOW FULL TABLES');
  const triggers = () =>
    database.query(
      'SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1',
    );

  it('keeps a table whose rows are not restored as it stands, with its rows, keys and triggers', async () => {
    await database.execute(
      "ALTER TABLE log ADD COLUMN extra VARCHAR(9) DEFAULT 'new'",
      'CREATE INDEX what ON log (what(10))',
      'DROP TRIGGER log_in',
      'CREATE TRIGGER log_later BEFORE INSERT ON log FOR EACH ROW SET NEW.what = LOWER(NEW.what)',
      'ALTER TABLE customer DROP COLUMN name, ADD COLUMN other INT',
    );
    const before = await definition('log');
    await replace();
    expect(await definition('log')).toBe(before);
    expect(await database.query('SELECT * FROM log')).toEqual([['1', '1', 'KEPT', 'new']]);
    expect(await database.query('SELECT * FROM customer')).toEqual([['1', 'ADA']]);
    expect((await triggers()).map(([name]) => name)).toEqual(['customer_in', 'log_later']);
    await expect(database.execute("INSERT INTO log VALUES (2, 9, 'x', '')")).rejects.toThrow('log_customer');
    expect(await tables()).toHaveLength(3);
  });

  it('makes a table that is missing and whose rows are not restored, empty', async () => {
    const before = await definition('gone');
    await database.execute('DROP TABLE gone');
    await replace();
    expect(await definition('gone')).toBe(before);
    expect(await database.query('SELECT * FROM gone')).toEqual([]);
    expect(await database.query('SELECT COUNT(*) FROM log')).toEqual([['1']]);
  });

  it('takes triggers that came later off replaced tables, and leaves those of tables it does not know', async () => {
    await database.execute(
      'CREATE TABLE stranger (id INT PRIMARY KEY)',
      'CREATE TRIGGER on_stranger BEFORE INSERT ON stranger FOR EACH ROW SET NEW.id = NEW.id + 1',
      'CREATE TRIGGER later AFTER DELETE ON customer FOR EACH ROW SET @gone = OLD.id',
      'DROP TRIGGER customer_in',
    );
    await replace();
    expect((await triggers()).map(([name]) => name)).toEqual(['customer_in', 'log_in', 'on_stranger']);
  });

  it.each([
    [
      'a view where a table was',
      ['RENAME TABLE customer TO renamed', 'CREATE VIEW customer AS SELECT 1 AS id'],
      'view customer',
    ],
    [
      'a table where a view was',
      ['DROP VIEW names', 'CREATE TABLE names (id INT PRIMARY KEY)'],
      'table names',
    ],
    [
      'a trigger of an unknown table with the name of one that is to be made',
      [
        'DROP TRIGGER customer_in',
        'CREATE TABLE stranger (id INT PRIMARY KEY)',
        'CREATE TRIGGER customer_in BEFORE INSERT ON stranger FOR EACH ROW SET NEW.id = 1',
      ],
      'trigger customer_in of table stranger',
    ],
  ])('refuses %s, and changes nothing', async (_, changes, told) => {
    await database.execute('CREATE VIEW names AS SELECT name FROM customer');
    taken = await take(source, ['customer']);
    await database.execute('SET foreign_key_checks = 0', ...changes);
    const before = [await tables(), await triggers()];
    await expect(replace()).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining(told),
    });
    expect([await tables(), await triggers()]).toEqual(before);
  });

  it('makes triggers in another database than the one whose name stood in their statements', async () => {
    const other = await createTestDatabase(serverUrl ?? '');
    try {
      await putBack(openMariadb(other.url), taken, { schema: { mode: 'CREATE', script: taken.script } });
      await other.execute("INSERT INTO customer VALUES (2, 'grace')");
      expect(await other.query('SELECT name FROM customer ORDER BY id')).toEqual([['ADA'], ['GRACE']]);
    } finally {
      await other.dispose();
    }
  });

  it('refuses, before anything is changed, when a key of a table that stays would not fit any more', async () => {
    await database.execute(
      'ALTER TABLE log DROP FOREIGN KEY log_customer, MODIFY customer_id BIGINT',
      'ALTER TABLE customer MODIFY id BIGINT',
      'ALTER TABLE log ADD CONSTRAINT log_customer FOREIGN KEY (customer_id) REFERENCES customer (id)',
    );
    const before = [await definition('log'), await definition('customer'), await tables(), await triggers()];
    await expect(replace()).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining('log_customer'),
    });
    expect([await definition('log'), await definition('customer'), await tables(), await triggers()]).toEqual(
      before,
    );
  });

  it('lets nothing that cannot be made again keep the tables closed: it is named, the rest comes back', async () => {
    await database.execute(
      'CREATE VIEW a_kept AS SELECT what FROM log',
      'CREATE VIEW names AS SELECT name FROM customer',
    );
    taken = await take(source, ['customer']);
    await database.execute(
      'DROP VIEW a_kept',
      'DROP VIEW names',
      'ALTER TABLE log DROP COLUMN what',
      'DROP TRIGGER log_in',
    );
    const restore = await loadTaken(source, taken, {
      schema: { mode: 'REPLACE', script: taken.script },
    });
    const ticket = await restore.ticket();
    await restore.commit();
    expect(restore.warnings).toEqual([expect.stringContaining('VIEW a_kept')]);
    expect(await source.outcome(ticket, never)).toBe('COMMITTED');
    await source.forget(ticket, never);
    expect((await tables()).map(([name]) => name)).toEqual(['customer', 'gone', 'log', 'names']);
    await database.execute("INSERT INTO customer VALUES (2, 'grace')", 'INSERT INTO log VALUES (2, 2)');
    expect(await database.query('SELECT name FROM names ORDER BY 1')).toEqual([['ADA'], ['GRACE']]);
  });

  it('names views it does not know that read columns which are gone now, and leaves all of them', async () => {
    await database.execute(
      'ALTER TABLE customer ADD COLUMN later INT',
      'CREATE TABLE short (id INT)',
      'CREATE VIEW broken_before AS SELECT id FROM short',
      'DROP TABLE short',
      'CREATE VIEW of_later AS SELECT later FROM customer',
      'CREATE VIEW over_it AS SELECT * FROM of_later',
      'CREATE VIEW of_name AS SELECT name FROM customer',
    );
    const restore = await loadTaken(source, taken, {
      schema: { mode: 'REPLACE', script: taken.script },
    });
    const ticket = await restore.ticket();
    await restore.commit();
    await source.forget(ticket, never);
    expect(restore.warnings).toEqual([
      expect.stringMatching(/^VIEW of_later, .* left as it is/),
      expect.stringMatching(/^VIEW over_it, .* left as it is/),
    ]);
    expect(await database.query('SELECT name FROM of_name')).toEqual([['ADA']]);
    expect((await tables()).filter(([, type]) => type === 'VIEW')).toHaveLength(4);
  });

  it('names packages as not carried, and leaves those of the target alone', async () => {
    await database.execute(
      "SET sql_mode = 'ORACLE'",
      'CREATE PACKAGE counting AS FUNCTION one RETURN INT; END',
      'CREATE PACKAGE BODY counting AS FUNCTION one RETURN INT AS BEGIN RETURN 1; END; END',
    );
    taken = await take(source, ['customer']);
    expect(taken.script.notCarried).toEqual([
      { name: 'PACKAGE counting', reason: 'Packages are not carried.' },
      { name: 'PACKAGE BODY counting', reason: 'Packages are not carried.' },
    ]);
    const packages =
      'SELECT ROUTINE_TYPE, ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()';
    const before = await database.query(packages);
    expect(before).toHaveLength(2);
    await replace();
    expect(await database.query(packages)).toEqual(before);
  });

  it('keeps a table system-versioned, with its present rows and without its history', async () => {
    await database.execute(
      'CREATE TABLE versioned (id INT PRIMARY KEY, v TEXT) WITH SYSTEM VERSIONING',
      "INSERT INTO versioned VALUES (1, 'a')",
      "UPDATE versioned SET v = 'b'",
    );
    taken = await take(source, ['versioned']);
    const before = await definition('versioned');
    await database.execute('DELETE FROM versioned', 'ALTER TABLE versioned DROP SYSTEM VERSIONING');
    await replace();
    expect(await definition('versioned')).toBe(before);
    expect(await database.query('SELECT * FROM versioned FOR SYSTEM_TIME ALL')).toEqual([['1', 'b']]);
    await database.execute("UPDATE versioned SET v = 'c'");
    expect(await database.query('SELECT COUNT(*) FROM versioned FOR SYSTEM_TIME ALL')).toEqual([['2']]);
  });

  it('names a view that reads what is not there any more, and makes the rest', async () => {
    await database.execute(
      'CREATE TABLE short (id INT)',
      'CREATE VIEW broken AS SELECT id FROM short',
      'DROP TABLE short',
    );
    taken = await take(source);
    expect(taken.script.notCarried).toEqual([
      { name: 'VIEW broken', reason: expect.stringContaining('not there') },
    ]);
    const other = await createTestDatabase(serverUrl ?? '');
    try {
      await putBack(openMariadb(other.url), taken, { schema: { mode: 'CREATE', script: taken.script } });
      expect(await other.query('SELECT COUNT(*) FROM log')).toEqual([['1']]);
    } finally {
      await other.dispose();
    }
  });

  it('puts back how a sequence counts, and where it stood', async () => {
    await database.execute(
      'CREATE SEQUENCE numbers START WITH 5 INCREMENT BY 5 NOCACHE',
      'DO NEXTVAL(numbers)',
    );
    taken = await take(source, ['customer']);
    const [before] = await database.query('SHOW CREATE SEQUENCE numbers');
    await database.execute('ALTER SEQUENCE numbers INCREMENT BY 1 MAXVALUE 99', 'DO NEXTVAL(numbers)');
    await replace();
    expect(await database.query('SHOW CREATE SEQUENCE numbers')).toEqual([before]);
    expect(await database.query('SELECT NEXTVAL(numbers), NEXTVAL(numbers)')).toEqual([['10', '15']]);
  });
});
