/** What a source is made of, as input of createSource and updateSource. */
import type { InputShapeFromFields } from '@pothos/core';
import { z } from 'zod';
import type { DatabaseSettings, DrillSettings } from '../catalog/catalog.ts';
import type { SourceChange } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import type { EnvFile, FileTree } from '../source/file-trees.ts';
import type { ClearedColumns } from '../source/source.ts';
import { builder } from './builder.ts';
import { TableNameInput, tableNameOf } from './database-names.ts';

type Types = typeof builder.$inferSchemaTypes;

const path = z.string().min(1, 'must not be empty').max(4096, 'must have at most 4096 characters');

/** The rule for names of sources. */
export const sourceNameRule = z
  .string()
  .trim()
  .min(1, 'must not be empty')
  .max(100, 'must have at most 100 characters')
  .regex(/^\P{Cc}*$/u, 'must not contain control characters');

const SqliteInput = builder.inputType('SqliteInput', {
  description: 'An SQLite database.',
  fields: (t) => ({
    path: t.string({
      required: true,
      description: 'Absolute path of the file, inside a root.',
      validate: path,
    }),
  }),
});

const PostgresqlInput = builder.inputType('PostgresqlInput', {
  description: 'A PostgreSQL database.',
  fields: (t) => ({
    url: t.string({
      required: true,
      description:
        'The connection string: postgresql://user:password@host:port/database. Kept encrypted and never shown again.',
      validate: path,
    }),
  }),
});

const MariadbInput = builder.inputType('MariadbInput', {
  description: 'A MariaDB database (10.6 or newer), or a MySQL one (8.0 or newer, untested).',
  fields: (t) => ({
    url: t.string({
      required: true,
      description:
        'The connection string: mariadb://user:password@host:port/database. Kept encrypted and never shown again.',
      validate: path,
    }),
  }),
});

const SourceDatabaseInput = builder.inputType('SourceDatabaseInput', {
  description: 'The database of a source: exactly one of these.',
  isOneOf: true,
  fields: (t) => ({
    sqlite: t.field({ type: SqliteInput, description: 'An SQLite file.' }),
    postgresql: t.field({ type: PostgresqlInput, description: 'A PostgreSQL database.' }),
    mariadb: t.field({ type: MariadbInput, description: 'A MariaDB or MySQL database.' }),
  }),
});

const ClearedColumnsInput = builder.inputType('ClearedColumnsInput', {
  description: 'Columns that a restore sets to NULL: runtime references that mean nothing afterwards.',
  fields: (t) => ({
    table: t.field({ type: TableNameInput, required: true, description: 'The table.' }),
    columns: t.stringList({
      required: true,
      description: 'The columns.',
      validate: z.array(z.string().min(1, 'must not be empty')).min(1, 'must name at least one column'),
    }),
  }),
});

const FileTreeInput = builder.inputType('FileTreeInput', {
  description: 'A directory to back up.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'Its name in bundles, unique among the trees of the source.',
      validate: z.string().min(1, 'must not be empty').max(100, 'must have at most 100 characters'),
    }),
    path: t.string({
      required: true,
      description: 'Absolute path of the directory, inside a root.',
      validate: path,
    }),
    include: t.stringList({ description: 'Globs of what to take, `**` included; everything when left out.' }),
    exclude: t.stringList({ description: 'Globs of what not to take; they win.' }),
  }),
});

const EnvFileInput = builder.inputType('EnvFileInput', {
  description: 'A file with settings and secrets. Taken only by backups that ask for it.',
  fields: (t) => ({
    path: t.string({
      required: true,
      description: 'Absolute path of the file, inside a root.',
      validate: path,
    }),
    restorePath: t.string({
      description: 'Where a restore writes it; left out, it is not restored.',
      validate: path,
    }),
  }),
});

const DrillInput = builder.inputType('DrillInput', {
  description:
    'Where drills (verifications of level RESTORE) may make databases of their own, and drop them.',
  fields: (t) => ({
    url: t.string({
      description:
        "Connection string of a scratch server of the database's kind; null for none. Kept encrypted and never shown again.",
      validate: path,
    }),
    onOwnServer: t.boolean({
      description:
        'Whether they may be made on the server of the source itself. Not needed for SQLite, nor for MariaDB, where the user needs the privilege alone.',
    }),
  }),
});

/** The fields of a source besides its name. Each may be left out; what that means, the input says. */
export function sourcePartFields(t: PothosSchemaTypes.InputFieldBuilder<Types, 'InputObject'>) {
  return {
    database: t.field({ type: SourceDatabaseInput, description: 'Its database; null for none.' }),
    excludedTables: t.field({ type: [TableNameInput], description: 'Tables not to back up, all of them.' }),
    clearedColumns: t.field({
      type: [ClearedColumnsInput],
      description: 'Columns that a restore sets to NULL, all of them.',
    }),
    trees: t.field({ type: [FileTreeInput], description: 'Directories to back up, all of them.' }),
    configTrees: t.field({ type: [FileTreeInput], description: 'Configuration directories, all of them.' }),
    envFile: t.field({ type: EnvFileInput, description: 'The env file; null for none.' }),
    drill: t.field({
      type: DrillInput,
      description:
        'Where its backups are drilled; of its fields too, what is left out stays. Null for nowhere.',
    }),
  };
}

/**
 * What was given of a source, as the engine wants it; what was left out is not in it. Null stands for none; lists
 * have no null, so there it means empty.
 */
export function sourcePartsOf(
  input: InputShapeFromFields<ReturnType<typeof sourcePartFields>>,
): Omit<SourceChange, 'name'> {
  const { database, excludedTables, clearedColumns, trees, configTrees, envFile, drill } = input;
  return {
    ...(database !== undefined && { database: database && databaseOf(database) }),
    ...(excludedTables !== undefined && { excludedTables: (excludedTables ?? []).map(tableNameOf) }),
    ...(clearedColumns !== undefined && { clearedColumns: (clearedColumns ?? []).map(clearedColumnsOf) }),
    ...(trees !== undefined && { trees: (trees ?? []).map(fileTreeOf) }),
    ...(configTrees !== undefined && { configTrees: (configTrees ?? []).map(fileTreeOf) }),
    ...(envFile !== undefined && { envFile: envFile && envFileOf(envFile) }),
    ...(drill !== undefined && { drill: drillOf(drill) }),
  };
}

function databaseOf(input: typeof SourceDatabaseInput.$inferInput): DatabaseSettings {
  if (input.sqlite) return { kind: 'SQLITE', path: input.sqlite.path };
  if (input.postgresql) return { kind: 'POSTGRESQL', url: input.postgresql.url };
  if (input.mariadb) return { kind: 'MARIADB', url: input.mariadb.url };
  throw new HoldfastError(
    'INVALID_INPUT',
    'database: exactly one of sqlite, postgresql and mariadb is needed.',
    {
      field: 'database',
    },
  );
}

function fileTreeOf(input: typeof FileTreeInput.$inferInput): FileTree {
  return { name: input.name, path: input.path, include: input.include ?? [], exclude: input.exclude ?? [] };
}

function envFileOf(input: typeof EnvFileInput.$inferInput): EnvFile {
  return { path: input.path, restorePath: input.restorePath ?? null };
}

function drillOf(input: typeof DrillInput.$inferInput | null): Partial<DrillSettings> {
  if (input === null) return { url: null, onOwnServer: false };
  return {
    ...(input.url !== undefined && { url: input.url }),
    ...(typeof input.onOwnServer === 'boolean' && { onOwnServer: input.onOwnServer }),
  };
}

function clearedColumnsOf(input: typeof ClearedColumnsInput.$inferInput): ClearedColumns {
  return { table: tableNameOf(input.table), columns: input.columns };
}
