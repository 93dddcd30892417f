/**
 * For developers: writes the next migration from what prisma/schema.prisma and prisma/migrations disagree about.
 * `npm run migration -- <name>`
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { prismaDirectory, readMigrations } from './migrations.ts';
import { NO_FILTER, toMigrationList, withSchemaEngine } from './schema-engine.ts';

/**
 * The SQL that takes a database from the migrations below `directory`/migrations to the models in
 * `directory`/schema.prisma; undefined when both agree.
 */
export async function missingMigration(directory: string): Promise<string | undefined> {
  const migrations = await readMigrations(join(directory, 'migrations'));
  const models = await readFile(join(directory, 'schema.prisma'), 'utf8');
  const difference = await withSchemaEngine(':memory:', (engine) =>
    engine.diff({
      from:
        migrations.length === 0
          ? { tag: 'empty' }
          : { tag: 'migrations', ...toMigrationList(join(directory, 'migrations'), migrations) },
      to: { tag: 'schemaDatamodel', files: [{ path: 'schema.prisma', content: models }] },
      script: true,
      exitCode: true,
      filters: NO_FILTER,
    }),
  );
  // As `prisma migrate diff --exit-code`: 2 when there is a difference.
  return difference.exitCode === 2 && difference.stdout !== null ? difference.stdout : undefined;
}

/** Writes the missing migration and returns its folder; undefined when there is nothing to write. */
export async function writeMigration(
  directory: string,
  name: string,
  now: Date,
): Promise<string | undefined> {
  if (!/^[a-z0-9_]+$/.test(name)) throw new Error('Name the migration in a-z, 0-9 and _, e.g. add_labels.');
  const sql = await missingMigration(directory);
  if (sql === undefined) return undefined;
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 14);
  const folder = join(directory, 'migrations', `${stamp}_${name}`);
  await mkdir(folder);
  await writeFile(join(folder, 'migration.sql'), sql, { flag: 'wx' });
  return folder;
}

if (import.meta.main) {
  const folder = await writeMigration(prismaDirectory(), process.argv[2] ?? '', new Date());
  console.log(folder === undefined ? 'Models and migrations agree; nothing to write.' : `Wrote ${folder}`);
}
