import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openMariadb } from '../../../../src/source/database/mariadb/mariadb.ts';
import type { SchemaScript } from '../../../../src/source/schema-script.ts';
import type { Database } from '../../../../src/source/source.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/mariadb-database.ts';
import { contents, putBack, take } from '../../../support/mariadb-round-trip.ts';
import { loadTaken, requestFor } from '../../../support/taken-tables.ts';

const serverUrl = inject('mariadbUrl');
const never = new AbortController().signal;

const SHOP = [
  `CREATE TABLE customer (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(50) NOT NULL, UNIQUE KEY by_name (name), FULLTEXT KEY words (name))`,
  `CREATE TABLE invoice (id INT AUTO_INCREMENT PRIMARY KEY, customer_id INT NOT NULL, parent_id INT, total DECIMAL(10, 2) DEFAULT 0 CHECK (total >= 0),
     day DATE DEFAULT '2020-01-01' COMMENT 'with, (odd) ''text''', KEY by_day (day DESC, total), KEY parent_id (parent_id),
     CONSTRAINT invoice_customer FOREIGN KEY (customer_id) REFERENCES customer (id) ON DELETE CASCADE ON UPDATE CASCADE,
     FOREIGN KEY (parent_id) REFERENCES invoice (id) ON DELETE SET NULL)`,
  'CREATE TABLE note (id INT PRIMARY KEY, customer_id INT, CONSTRAINT note_customer FOREIGN KEY (customer_id) REFERENCES customer (id))',
  'CREATE TABLE log (id INT AUTO_INCREMENT PRIMARY KEY, what TEXT)',
  `CREATE TRIGGER invoice_in BEFORE INSERT ON invoice FOR EACH ROW SET NEW.day = COALESCE(NEW.day, '2000-01-01')`,
  `CREATE TRIGGER invoice_log AFTER INSERT ON invoice FOR EACH ROW BEGIN INSERT INTO log (what) VALUES (CONCAT('in; ', NEW.id)); END`,
  "CREATE TRIGGER invoice_log2 AFTER INSERT ON invoice FOR EACH ROW FOLLOWS invoice_log INSERT INTO log (what) VALUES ('second')",
  'CREATE VIEW b_totals AS SELECT c.name, SUM(i.total) AS total FROM customer c JOIN invoice i ON i.customer_id = c.id GROUP BY c.name',
  'CREATE VIEW a_rich AS SELECT name FROM b_totals WHERE total > 5',
  'CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN x * 2',
  "CREATE PROCEDURE tell() BEGIN SELECT 'a;b'; SELECT 2; END",
  "CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO DELETE FROM log",
];
const ROWS = [
  "INSERT INTO customer (name) VALUES ('Ada'), ('Grace')",
  'INSERT INTO invoice (customer_id, total, day) VALUES (1, 10, NULL), (2, 1, NULL)',
  'UPDATE invoice SET parent_id = 1 WHERE id = 2',
  'INSERT INTO note VALUES (1, 1)',
];
const TABLES = ['customer', 'invoice', 'log', 'note'];

/** What the server prints of everything that is not rows; without moments of creation. */
async function structure(database: TestDatabase): Promise<unknown> {
  const printed: unknown[] = [];
  for (const name of TABLES) {
    const [row] = await database.query(`SHOW CREATE TABLE ${name}`);
    printed.push(row?.[1]?.replace(/ AUTO_INCREMENT=\d+/, ''));
  }
  for (const query of [
    `SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_TIMING, ACTION_ORDER, ACTION_STATEMENT, DEFINER, SQL_MODE FROM information_schema.TRIGGERS
      WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 2, 3, 4`,
    'SELECT TABLE_NAME, VIEW_DEFINITION, DEFINER, SECURITY_TYPE FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1',
    'SELECT ROUTINE_NAME, ROUTINE_DEFINITION, DEFINER, SQL_MODE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE() ORDER BY 1',
    'SELECT EVENT_NAME, EVENT_DEFINITION, STARTS, STATUS, TIME_ZONE FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()',
    'SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1',
    'SELECT CONSTRAINT_NAME, TABLE_NAME, REFERENCED_TABLE_NAME, DELETE_RULE, UPDATE_RULE FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1',
  ]) {
    printed.push(await database.query(query));
  }
  return printed;
}

describe.skipIf(serverUrl === null)('the structure around restored tables', () => {
  let database: TestDatabase;
  let source: Database;
  beforeEach(async () => {
    database = await createTestDatabase(serverUrl ?? '');
    source = openMariadb(database.url);
    await database.execute(...SHOP, ...ROWS);
  });
  afterEach(() => database.dispose());

  it('is the same after a restore of everything: keys, triggers, views, routines, events', async () => {
    const before = await structure(database);
    const rows = await contents(database, TABLES);
    const taken = await take(source);
    await database.execute(
      'DELETE FROM note',
      'DELETE FROM customer WHERE id = 1',
      "INSERT INTO log (what) VALUES ('x')",
    );
    await putBack(source, taken);
    expect(await structure(database)).toEqual(before);
    // Triggers did not fire while the rows were loaded.
    expect(await contents(database, TABLES)).toEqual(rows);
    await database.execute('INSERT INTO invoice (customer_id, total, day) VALUES (1, 3, NULL)');
    expect(await database.query('SELECT what FROM log ORDER BY id DESC LIMIT 2')).toEqual([
      ['second'],
      ['in; 3'],
    ]);
    await expect(database.execute('INSERT INTO invoice (customer_id, total) VALUES (1, -1)')).rejects.toThrow(
      'total',
    );
    expect(await database.query('SELECT name FROM a_rich')).toEqual([['Ada']]);
  });

  it('keeps keys of tables that stay pointing to the restored ones', async () => {
    const before = await structure(database);
    const taken = await take(source, ['customer']);
    await database.execute("UPDATE customer SET name = 'changed' WHERE id = 1");
    await putBack(source, taken);
    expect(await structure(database)).toEqual(before);
    expect(await database.query('SELECT name FROM customer ORDER BY id')).toEqual([['Ada'], ['Grace']]);
    await expect(database.execute('INSERT INTO note VALUES (2, 77)')).rejects.toThrow('note_customer');
    await database.execute('INSERT INTO note VALUES (3, 2)');
    await expect(database.execute('DELETE FROM customer WHERE id = 2')).rejects.toThrow('note_customer');
  });

  it('keeps keys of restored tables pointing to those that stay', async () => {
    const before = await structure(database);
    const taken = await take(source, ['invoice']);
    await database.execute('DELETE FROM invoice');
    await putBack(source, taken);
    expect(await structure(database)).toEqual(before);
    await expect(database.execute('INSERT INTO invoice (customer_id) VALUES (99)')).rejects.toThrow(
      'invoice_customer',
    );
  });

  it('is refused when a key of another database would be left pointing to the old table', async () => {
    const other = await createTestDatabase(serverUrl ?? '');
    try {
      await other.asAdmin(
        `CREATE TABLE far (id INT PRIMARY KEY, FOREIGN KEY (id) REFERENCES ${database.name}.customer (id))`,
      );
      const admin = openMariadb(`${serverUrl}/${database.name}`);
      await expect(putBack(admin, await take(admin, ['customer']))).rejects.toMatchObject({
        code: 'SCHEMA_MISMATCH',
        message: expect.stringContaining('far'),
      });
    } finally {
      await other.dispose();
    }
  });

  it('takes two tables at once', async () => {
    const rows = await contents(database, TABLES);
    const taken = await take(source);
    await database.execute('DELETE FROM note', 'DELETE FROM invoice');
    const request = requestFor(taken);
    const restore = await source.beginRestore(request, never);
    await restore.clear(never);
    expect(restore.concurrentLoads).toBe(2);
    async function* bytes(n: number): AsyncGenerator<Buffer> {
      yield taken.rows[n] ?? Buffer.alloc(0);
    }
    for (let n = 0; n < request.tables.length; n += 2) {
      const pair = request.tables.slice(n, n + 2).map((table, m) => restore.load(table, bytes(n + m), never));
      await Promise.all(pair);
    }
    await restore.finish(taken.sequences, never);
    const ticket = await restore.ticket();
    await restore.commit();
    await source.forget(ticket, never);
    expect(await contents(database, TABLES)).toEqual(rows);
  });

  it('is as it was after a rollback and after a sweep', async () => {
    const before = await structure(database);
    const taken = await take(source);
    const restore = await loadTaken(source, taken);
    await restore.rollback();
    expect(await structure(database)).toEqual(before);
    const dead = await loadTaken(source, taken, { restoreId: 'dead' });
    await source.sweep('dead', never);
    await source.sweep('dead', never);
    expect(await structure(database)).toEqual(before);
    await dead.rollback();
    expect(await structure(database)).toEqual(before);
  });

  it('comes into an empty database from the script, with the same script afterwards', async () => {
    const taken = await take(source);
    const before = await structure(database);
    const other = await createTestDatabase(serverUrl ?? '');
    try {
      const target = openMariadb(other.url);
      expect((await target.describe(never)).empty).toBe(true);
      await putBack(target, taken, { schema: { mode: 'CREATE', script: taken.script } });
      expect(withoutName((await take(target)).script)).toEqual(withoutName(taken.script));
      expect(await contents(other, TABLES)).toEqual(await contents(database, TABLES));
      const text = JSON.stringify(await structure(other)).replaceAll(other.name, database.name);
      expect(JSON.parse(text)).toEqual(before);
    } finally {
      await other.dispose();
    }
  });

  it('leaves an empty database empty when a restore that makes it is taken back', async () => {
    await database.execute('CREATE SEQUENCE numbers');
    const taken = await take(source);
    const other = await createTestDatabase(serverUrl ?? '');
    try {
      const target = openMariadb(other.url);
      const restore = await loadTaken(target, taken, {
        schema: { mode: 'CREATE', script: taken.script },
      });
      await restore.rollback();
      expect((await target.describe(never)).empty).toBe(true);
      await expect(
        source.beginRestore(requestFor(taken, { schema: { mode: 'CREATE', script: taken.script } }), never),
      ).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH', message: expect.stringContaining('not empty') });
    } finally {
      await other.dispose();
    }
  });

  it('comes back when it has changed, and leaves what the script does not know', async () => {
    const before = await structure(database);
    const rows = await contents(database, TABLES);
    const taken = await take(source);
    await database.execute(
      'ALTER TABLE invoice ADD COLUMN extra INT, DROP COLUMN total, MODIFY day TEXT',
      'DROP TRIGGER invoice_log',
      'DROP VIEW a_rich',
      'DROP FUNCTION twice',
      'DROP EVENT nightly',
      'CREATE OR REPLACE VIEW b_totals AS SELECT 1 AS name, 2 AS total',
      'CREATE TABLE stranger (id INT PRIMARY KEY, customer_id INT, CONSTRAINT stranger_key FOREIGN KEY (customer_id) REFERENCES customer (id))',
      'INSERT INTO stranger VALUES (1, 2)',
    );
    await putBack(source, taken, { schema: { mode: 'REPLACE', script: taken.script } });
    expect(await database.query('SELECT * FROM stranger')).toEqual([['1', '2']]);
    await expect(database.execute('INSERT INTO stranger VALUES (2, 77)')).rejects.toThrow('stranger_key');
    await database.execute('DROP TABLE stranger');
    expect(await structure(database)).toEqual(before);
    expect(await contents(database, TABLES)).toEqual(rows);
  });

  it('keeps the definer of a trigger that another user made, or refuses before anything is changed', async () => {
    await database.asAdmin('CREATE TRIGGER by_root BEFORE DELETE ON note FOR EACH ROW SET @deleted = OLD.id');
    const before = await structure(database);
    const taken = await take(source, ['note']);
    await expect(putBack(source, taken)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('SET USER'),
    });
    expect(await structure(database)).toEqual(before);
    const admin = openMariadb(`${serverUrl}/${database.name}`);
    await putBack(admin, await take(admin, ['note']));
    expect(await structure(database)).toEqual(before);
  });
});

function withoutName(script: SchemaScript): unknown {
  return { before: script.before, after: script.after };
}
