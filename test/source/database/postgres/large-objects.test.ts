import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import type { Database } from '../../../../src/source/source.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';
import { contents, putBack, putBackUncommitted, take } from '../../../support/postgres-round-trip.ts';
import type { TakenTables } from '../../../support/taken-tables.ts';

const never = new AbortController().signal;
const NAMES = ['pg_largeobject'];

/** Every object with its owner, privileges and content. */
const OBJECTS = `SELECT oid::text, lomowner::regrole::text, lomacl::text, md5(lo_get(oid)), length(lo_get(oid))::text
  FROM pg_largeobject_metadata ORDER BY oid`;

describe('large objects', () => {
  let database: TestDatabase;
  let source: Database;
  beforeEach(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    source = openPostgres(database.url);
  });
  afterEach(() => database.dispose());

  async function make(): Promise<void> {
    await database.execute(
      "SELECT lo_from_bytea(4000000001, '\\x00ff5c')",
      "SELECT lo_from_bytea(20001, convert_to(repeat('0123456789abcdef', 40000), 'UTF8'))",
      "SELECT lo_from_bytea(20002, convert_to(repeat('x', 131072), 'UTF8'))",
      'SELECT lo_create(20003)',
      // A hole: the server stores nothing for it, and reads zeros.
      "SELECT lo_create(20004), lo_put(20004, 200000, '\\xabcd')",
      'GRANT SELECT ON LARGE OBJECT 20002 TO PUBLIC',
    );
  }

  it('come back byte by byte, for an owner who is no superuser; others go', async () => {
    await make();
    const taken = await take(source);
    expect(taken.tables).toMatchObject([
      { schema: 'pg_catalog', name: 'pg_largeobject', implicit: true, rowEstimate: 5 },
    ]);
    const lines = taken.rows[0]?.toString('utf8').split('\n') ?? [];
    expect(lines.at(-2)).toBe('{"loid":"4000000001","pageno":0,"data":"\\\\x00ff5c"}');
    expect(lines.map((line) => /^.*"pageno":\d+/.exec(line)?.[0])).toContain('{"loid":"20003","pageno":0');
    expect(await source.countRows(taken.tables, never)).toEqual([lines.length - 1]);
    const before = await database.query(OBJECTS);
    expect(before.map((row) => row[4])).toEqual(['640000', '131072', '0', '200002', '3']);
    await database.execute(
      'SELECT lo_unlink(20001)',
      "SELECT lo_put(20002, 5, 'changed'), lo_put(20002, 131072, 'longer')",
      "SELECT lo_from_bytea(19000, 'new'), lo_from_bytea(20500, 'new'), lo_from_bytea(4100000000, 'new')",
    );
    await putBack(source, taken);
    expect(await database.query(OBJECTS)).toEqual(before);
    expect((await take(source)).rows).toEqual(taken.rows);
  });

  it('are as they were when the restore is rolled back, also while it reads them again', async () => {
    await make();
    const taken = await take(source);
    await database.execute("SELECT lo_unlink(20001), lo_from_bytea(20500, 'new')");
    const before = await database.query(OBJECTS);
    const restore = await putBackUncommitted(source, taken);
    const again: Buffer[] = [];
    const table = { schema: 'pg_catalog', name: 'pg_largeobject', columns: ['loid', 'pageno', 'data'] };
    for await (const chunk of restore.readRows(table, never)) again.push(Buffer.from(chunk));
    expect(Buffer.concat(again).toString()).toBe(taken.rows[0]?.toString());
    await restore.rollback();
    expect(await database.query(OBJECTS)).toEqual(before);
  });

  it('are no part of a backup while there are none', async () => {
    const { tables, leftOut } = await source.describe(never);
    expect(tables).toMatchObject([{ name: 'pg_largeobject', implicit: true, rowEstimate: 0 }]);
    expect(leftOut).toEqual([]);
  });

  it('are named when this user may not read them', async () => {
    await database.asAdmin(
      "SELECT lo_from_bytea(30001, 'secret')",
      "SELECT lo_from_bytea(30002, 'open')",
      'GRANT SELECT ON LARGE OBJECT 30002 TO PUBLIC',
    );
    const { tables } = await source.describe(never);
    expect(tables[0]?.unreadable).toBe('SELECT privilege is missing on the large objects 30001');
    const { tables: seen } = await openPostgres(database.adminUrl).describe(never);
    expect(seen[0]?.unreadable).toBeUndefined();
    await expect(take(source, NAMES)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' });
  });

  it.each([
    ['is no JSON', '{"loid":'],
    ['has another column', '{"loid":"1","pageno":0,"data":"\\\\x00","more":1}'],
    ['names no object', '{"loid":"x","pageno":0,"data":"\\\\x00"}'],
    ['has no page', '{"loid":"1","pageno":-1,"data":"\\\\x00"}'],
    ['has no bytes', '{"loid":"1","pageno":0,"data":"00"}'],
    ['is out of order', '{"loid":"7","pageno":0,"data":"\\\\x00"}\n{"loid":"6","pageno":0,"data":"\\\\x00"}'],
  ])('are refused with the row when a row %s', async (_, rows) => {
    await make();
    const before = await database.query(OBJECTS);
    const { tables } = await take(source);
    const edited: TakenTables = { tables, rows: [Buffer.from(rows)], sequences: [] };
    await expect(putBack(source, edited)).rejects.toMatchObject({
      code: 'INVALID_CHECKSUM',
      message: expect.stringMatching(/^Row \d of table pg_catalog\.pg_largeobject /),
    });
    expect(await database.query(OBJECTS)).toEqual(before);
  });

  it('travel beside tables that point to them', async () => {
    await make();
    await database.execute(
      'CREATE TABLE document (id int PRIMARY KEY, content oid)',
      'INSERT INTO document VALUES (1, 20001), (2, 4000000001)',
    );
    const taken = await take(source);
    const documents = taken.tables.filter((table) => table.name === 'document');
    const before = await contents(database.adminUrl, documents);
    const objects = await database.query(OBJECTS);
    await database.execute('DELETE FROM document', 'SELECT lo_unlink(20001)');
    await putBack(source, taken);
    expect(await contents(database.adminUrl, documents)).toEqual(before);
    expect((await database.query(OBJECTS)).map((row) => row[3])).toEqual(objects.map((row) => row[3]));
  });
});
