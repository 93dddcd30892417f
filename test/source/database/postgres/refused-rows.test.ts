import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { openPostgres } from '../../../../src/source/database/postgres/postgres.ts';
import type { Database } from '../../../../src/source/source.ts';
import { requestIds } from '../../../support/postgres-calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../support/postgres-database.ts';

const never = new AbortController().signal;

describe('rows that PostgreSQL refuses', () => {
  let database: TestDatabase;
  let source: Database;
  beforeAll(async () => {
    database = await createTestDatabase(inject('postgresUrl'));
    source = openPostgres(database.url);
    await database.execute(
      'CREATE TABLE item (id int PRIMARY KEY)',
      'INSERT INTO item SELECT generate_series(1, 1000)',
    );
  });
  afterAll(() => database.dispose());

  it('names row and column of a value the database does not take, but not the value', async () => {
    await database.execute(
      'CREATE TABLE picky (id int PRIMARY KEY, size int CHECK (size > 0), label varchar(3))',
    );
    const table = { schema: 'public', name: 'picky', columns: ['id', 'size', 'label'] };
    async function* rows(line: string): AsyncGenerator<Buffer> {
      yield Buffer.from(`{"id":1,"size":1,"label":"a"}\n${line}\n`);
    }
    const load = async (line: string): Promise<unknown> => {
      const restore = await source.beginRestore(requestIds([], { tables: [table] }), never);
      try {
        await restore.clear(never);
        return await restore.load(table, rows(line), never).catch((error: unknown) => error);
      } finally {
        await restore.rollback();
      }
    };
    expect(await load('{"id":2,"size":"s3cret","label":"a"}')).toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringMatching(/^(?!.*s3cret)Row 2 of table public\.picky, column "size"/),
    });
    expect(await load('{"id":2,"size":-1,"label":"s3c"}')).toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringMatching(/^(?!.*s3c)Row 2 of table public\.picky breaks "picky_size_check"/),
    });
    expect(await load('{"id":null,"size":1,"label":"s3c"}')).toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringMatching(/^(?!.*s3c)Row 2 of table public\.picky has no value in "id"/),
    });
    expect(await load('{"id":1,"size":1,"label":"s3c"}')).toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringMatching(
        /^(?!.*s3c)Row 2 of table public\.picky breaks "picky_pkey".*\(id\)=\(1\)/,
      ),
    });
    expect(await load('{"id":2,"size":1,"label":"too long s3cret"}')).toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringMatching(/^(?!.*s3cret)Row 2 of table public\.picky, column "label"/),
    });
  });
});
