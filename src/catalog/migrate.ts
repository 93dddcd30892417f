/** Brings the catalog's database up to the models of this program when the server starts. */
import { chmod, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { HoldfastError } from '../errors.ts';
import { type Migration, prismaDirectory, readMigrations } from './migrations.ts';
import { NO_FILTER, toMigrationList, withSchemaEngine } from './schema-engine.ts';

/** What {@link migrateCatalog} did. */
export interface MigrationReport {
  /** Names of the migrations that were applied now, oldest first. */
  readonly applied: readonly string[];
  /** Where the catalog as it was before stands; null when it was new or nothing was to be done. */
  readonly copy: string | null;
}

/** A row of Prisma's own table of migrations. */
interface AppliedMigration {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished_at: unknown;
}

/** Milliseconds to wait for another process that is migrating the same file. */
const BUSY_WAIT_MS = 5_000;

function notACatalog(file: string, cause?: unknown): HoldfastError {
  return new HoldfastError('INVALID_INPUT', `The file ${file} is no Holdfast catalog.`, {
    hint: 'Point Holdfast at another data directory, or move the file away.',
    cause,
  });
}

function isDatabaseError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_NOTADB';
}

/** What has been applied to `file`, in order; none for an empty or new file. */
function appliedMigrations(file: string): readonly AppliedMigration[] {
  const database = new Database(file, { timeout: BUSY_WAIT_MS });
  try {
    const tables = database
      .prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'")
      .pluck();
    const names = tables.all();
    if (names.length === 0) return [];
    if (!names.includes('_prisma_migrations')) throw notACatalog(file);
    return database
      .prepare<[], AppliedMigration>(
        `SELECT migration_name, checksum, finished_at FROM _prisma_migrations
         WHERE rolled_back_at IS NULL ORDER BY started_at, migration_name`,
      )
      .all();
  } catch (error) {
    throw isDatabaseError(error) ? notACatalog(file, error) : error;
  } finally {
    database.close();
  }
}

/** The migrations still to be applied. Throws when the catalog holds anything this program does not understand. */
function pendingMigrations(
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] {
  const byName = new Map(known.map((migration) => [migration.name, migration]));
  const unknown = applied.filter((row) => !byName.has(row.migration_name));
  if (unknown.length > 0) {
    const names = unknown.map((row) => row.migration_name).join(', ');
    throw new HoldfastError(
      'FORMAT_TOO_NEW',
      `The catalog was written by a newer Holdfast: it holds the migration ${names}, which this one does not know.`,
      { hint: 'Start the newer version, or restore a copy of the catalog from before the upgrade.' },
    );
  }
  const unfinished = applied.find((row) => row.finished_at === null);
  if (unfinished !== undefined) {
    throw new HoldfastError(
      'INTERNAL',
      `The migration ${unfinished.migration_name} of the catalog failed or was interrupted; the catalog is incomplete.`,
      { hint: 'Put the copy that was made before it (<catalog>.<time>.before-migration) in its place.' },
    );
  }
  const edited = applied.find((row) => byName.get(row.migration_name)?.checksum !== row.checksum);
  if (edited !== undefined) {
    throw new HoldfastError(
      'INVALID_CHECKSUM',
      `The migration ${edited.migration_name} of the catalog differs from the one this Holdfast carries.`,
      { hint: 'Start the version that made the catalog, or reinstall this one.' },
    );
  }
  const done = new Set(applied.map((row) => row.migration_name));
  return known.filter((migration) => !done.has(migration.name));
}

async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Copies a catalog, also one in use, to a new file beside it: complete or not at all. */
async function copyAside(file: string, now: Date): Promise<string> {
  const stamp = now.toISOString().replace(/\D/g, '').slice(0, 17);
  const copy = `${file}.${stamp}.before-migration`;
  const partial = `${copy}.partial`;
  const database = new Database(file, { timeout: BUSY_WAIT_MS });
  try {
    await (await open(partial, 'wx', 0o600)).close();
    await database.backup(partial);
    await chmod(partial, 0o600);
    await syncPath(partial);
    await rename(partial, copy);
    await syncPath(dirname(copy));
    return copy;
  } catch (error) {
    await rm(partial, { force: true });
    throw new HoldfastError('STORAGE_UNAVAILABLE', 'The catalog could not be copied before its migration.', {
      hint: `Make room for a second copy of ${file}; nothing was changed.`,
      cause: error,
    });
  } finally {
    database.close();
  }
}

/**
 * Applies the migrations of this program that `file` lacks. A catalog that holds something is copied aside
 * first, since it is the user's memory. Does nothing, fast, when nothing is missing.
 *
 * @param directory Folder of the migrations; this program's own by default.
 * @throws HoldfastError FORMAT_TOO_NEW when the catalog holds migrations this program does not know,
 *   INVALID_CHECKSUM when it holds other ones of the same name, INTERNAL when one failed half-way, INVALID_INPUT
 *   when the file is no catalog, STORAGE_UNAVAILABLE when it cannot be copied. Nothing has been changed then,
 *   except by the migration that failed, whose message names the copy.
 */
export async function migrateCatalog(
  file: string,
  directory: string = join(prismaDirectory(), 'migrations'),
): Promise<MigrationReport> {
  const known = await readMigrations(directory);
  const before = appliedMigrations(file);
  const pending = pendingMigrations(known, before);
  if (pending.length === 0) return { applied: [], copy: null };
  const copy = before.length === 0 ? null : await copyAside(file, new Date());
  try {
    const { appliedMigrationNames } = await withSchemaEngine(file, (engine) =>
      engine.applyMigrations({ migrationsList: toMigrationList(directory, known), filters: NO_FILTER }),
    );
    return { applied: appliedMigrationNames, copy };
  } catch (error) {
    throw new HoldfastError('INTERNAL', 'The catalog could not be brought up to this version of Holdfast.', {
      hint:
        copy === null
          ? `It was new: remove ${file} and start again.`
          : `The catalog as it was before stands at ${copy}; put it in the place of ${file}.`,
      cause: error,
    });
  }
}
