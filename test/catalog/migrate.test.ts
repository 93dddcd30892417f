import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { migrateCatalog } from '../../src/catalog/migrate.ts';
import { prismaDirectory, readMigrations } from '../../src/catalog/migrations.ts';
import { missingMigration, writeMigration } from '../../src/catalog/write-migration.ts';
import { temporaryDirectory } from './support.ts';

let directory: string;
let prisma: string;
let migrations: string;
let file: string;
beforeEach(async () => {
  directory = await temporaryDirectory();
  prisma = join(directory, 'prisma');
  migrations = join(prisma, 'migrations');
  file = join(directory, 'catalog.db');
  await cp(prismaDirectory(), prisma, { recursive: true });
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function addMigration(name: string, sql: string): Promise<void> {
  await mkdir(join(migrations, name));
  await writeFile(join(migrations, name, 'migration.sql'), sql);
}

function withDatabase<T>(path: string, work: (database: Database.Database) => T): T {
  const database = new Database(path);
  try {
    return work(database);
  } finally {
    database.close();
  }
}

function dump(path: string): unknown {
  return withDatabase(path, (database) => [
    database.prepare('SELECT * FROM sqlite_schema ORDER BY name').all(),
    database.prepare('SELECT * FROM Workspace').all(),
    database.prepare('SELECT * FROM _prisma_migrations').all(),
  ]);
}

function addWorkspace(): void {
  withDatabase(file, (database) => database.exec("INSERT INTO Workspace (id, name) VALUES ('w', 'kept')"));
}

test('the models and the committed migrations agree (if not: npm run migration -- <name>)', async () => {
  expect(await missingMigration(prismaDirectory())).toBeUndefined();
});

test('a changed model is written as the next migration, which then applies', async () => {
  const models = join(prisma, 'schema.prisma');
  const text = await readFile(models, 'utf8');
  await writeFile(models, text.replace('fileName    String\n', 'fileName    String\n  label String?\n'));
  const folder = await writeMigration(prisma, 'add_label', new Date('2999-01-02T03:04:05Z'));
  expect(folder).toBe(join(migrations, '29990102030405_add_label'));
  expect(await missingMigration(prisma)).toBeUndefined();
  expect(await writeMigration(prisma, 'again', new Date())).toBeUndefined();
  expect((await migrateCatalog(file, migrations)).applied.at(-1)).toBe('29990102030405_add_label');
  const columns = withDatabase(file, (database) => database.pragma('table_info(Upload)'));
  expect(columns).toContainEqual(expect.objectContaining({ name: 'label' }));
});

test('a new catalog gets every migration and no copy; a second start does nothing', async () => {
  const names = (await readMigrations(migrations)).map((migration) => migration.name);
  expect(await migrateCatalog(file, migrations)).toEqual({ applied: names, copy: null });
  const before = dump(file);
  expect(await migrateCatalog(file, migrations)).toEqual({ applied: [], copy: null });
  expect(dump(file)).toEqual(before);
});

test('two servers that start together on a new catalog both come up', async () => {
  const reports = await Promise.all([migrateCatalog(file, migrations), migrateCatalog(file, migrations)]);
  const names = (await readMigrations(migrations)).map((migration) => migration.name);
  expect(reports.flatMap((report) => report.applied)).toEqual(names);
});

test('a catalog is copied aside before it is migrated', async () => {
  await migrateCatalog(file, migrations);
  addWorkspace();
  const before = dump(file);
  await addMigration('29990101000000_more', 'ALTER TABLE "Upload" ADD COLUMN "label" TEXT;');
  const { applied, copy } = await migrateCatalog(file, migrations);
  expect(applied).toEqual(['29990101000000_more']);
  expect(dump(copy ?? '')).toEqual(before);
  expect((await stat(copy ?? '')).mode & 0o777).toBe(0o600);
  expect(
    withDatabase(file, (database) => database.prepare('SELECT name FROM Workspace').pluck().all()),
  ).toEqual(['kept']);
});

test('a catalog of a newer Holdfast is refused and left alone', async () => {
  await addMigration('29990101000000_future', 'ALTER TABLE "Upload" ADD COLUMN "label" TEXT;');
  await migrateCatalog(file, migrations);
  addWorkspace();
  const before = dump(file);
  await expect(migrateCatalog(file)).rejects.toMatchObject({
    code: 'FORMAT_TOO_NEW',
    message: expect.stringContaining('29990101000000_future'),
  });
  expect(dump(file)).toEqual(before);
  expect((await readdir(directory)).filter((name) => name.includes('before-migration'))).toEqual([]);
});

test('a migration that fails says so, names the copy, and is told again at the next start', async () => {
  await migrateCatalog(file, migrations);
  addWorkspace();
  const before = dump(file);
  await addMigration(
    '29990101000000_bad',
    'CREATE TABLE "Half" ("a" TEXT); ALTER TABLE "Nowhere" ADD COLUMN "b" TEXT;',
  );
  const failure = await migrateCatalog(file, migrations).catch((error: unknown) => error);
  const copy = (await readdir(directory)).find((name) => name.endsWith('.before-migration')) ?? '';
  expect(failure).toMatchObject({ code: 'INTERNAL', hint: expect.stringContaining(copy) });
  expect(dump(join(directory, copy))).toEqual(before);
  await expect(migrateCatalog(file, migrations)).rejects.toMatchObject({
    code: 'INTERNAL',
    message: expect.stringContaining('29990101000000_bad'),
  });
  expect((await readdir(directory)).filter((name) => name.endsWith('.before-migration'))).toHaveLength(1);
});

test('a migration that was edited after it was applied is refused', async () => {
  await migrateCatalog(file, migrations);
  const [first] = await readMigrations(migrations);
  await writeFile(join(migrations, first?.name ?? '', 'migration.sql'), '-- something else\n');
  await expect(migrateCatalog(file, migrations)).rejects.toMatchObject({ code: 'INVALID_CHECKSUM' });
});

test.each([
  {
    what: 'another database',
    make: (path: string) => withDatabase(path, (db) => db.exec('CREATE TABLE t (a)')),
  },
  { what: 'no database', make: (path: string) => writeFile(path, 'x'.repeat(8_192)) },
])('a file that is $what is refused and left alone', async ({ make }) => {
  await make(file);
  const before = await readFile(file);
  await expect(migrateCatalog(file, migrations)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  expect(await readFile(file)).toEqual(before);
});
