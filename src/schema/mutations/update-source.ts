import type { SourceDefinition } from '../../catalog/catalog.ts';
import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { TableNameInput, tableNameOf } from '../database-names.ts';
import {
  ForbiddenError,
  InvalidInputError,
  LockHeldError,
  NotFoundError,
  SourceUnavailableError,
} from '../errors.ts';
import { idOf } from '../global-id.ts';
import {
  ClearedColumnsInput,
  clearedColumnsOf,
  databaseOf,
  EnvFileInput,
  envFileOf,
  FileTreeInput,
  fileTreeOf,
  SourceDatabaseInput,
  sourceNameRule,
} from '../source-input.ts';
import { SourcePayloadFields } from '../source-payload.ts';

const UpdateSourceInput = builder.inputType('UpdateSourceInput', {
  description: 'What changes; what is left out stays.',
  fields: (t) => ({
    sourceId: t.id({ required: true, description: 'The source.' }),
    name: t.string({ description: 'Its new name.', validate: sourceNameRule }),
    database: t.field({ type: SourceDatabaseInput, description: 'Its new database; null takes it away.' }),
    excludedTables: t.field({ type: [TableNameInput], description: 'Tables not to back up, all of them.' }),
    clearedColumns: t.field({
      type: [ClearedColumnsInput],
      description: 'Columns that a restore sets to NULL, all of them.',
    }),
    trees: t.field({ type: [FileTreeInput], description: 'Directories to back up, all of them.' }),
    configTrees: t.field({ type: [FileTreeInput], description: 'Configuration directories, all of them.' }),
    envFile: t.field({ type: EnvFileInput, description: 'The new env file; null takes it away.' }),
  }),
});

const UpdateSourcePayload = builder
  .objectRef<{ sourceId: string }>('UpdateSourcePayload')
  .implement({ description: 'The changed source.', fields: SourcePayloadFields });

/** Undefined stays, null takes away; lists have no null to take away, so null means empty. */
function changeOf(input: typeof UpdateSourceInput.$inferInput): Partial<SourceDefinition> {
  const { name, database, excludedTables, clearedColumns, trees, configTrees, envFile } = input;
  return {
    ...(typeof name === 'string' && { name }),
    ...(database !== undefined && { database: database === null ? null : databaseOf(database) }),
    ...(excludedTables !== undefined && { excludedTables: (excludedTables ?? []).map(tableNameOf) }),
    ...(clearedColumns !== undefined && { clearedColumns: (clearedColumns ?? []).map(clearedColumnsOf) }),
    ...(trees !== undefined && { trees: (trees ?? []).map(fileTreeOf) }),
    ...(configTrees !== undefined && { configTrees: (configTrees ?? []).map(fileTreeOf) }),
    ...(envFile !== undefined && { envFile: envFile === null ? null : envFileOf(envFile) }),
  };
}

builder.mutationField('updateSource', (t) =>
  t.field({
    type: UpdateSourcePayload,
    description: 'Changes a source. Needs ADMIN.',
    authScopes: { admin: true },
    errors: {
      types: [InvalidInputError, ForbiddenError, NotFoundError, LockHeldError, SourceUnavailableError],
    },
    args: { input: t.arg({ type: UpdateSourceInput, required: true, description: 'What changes.' }) },
    resolve: async (_root, { input }, context) => {
      const id = idOf('Source', input.sourceId);
      const source = await context.engine.updateSource(actorOf(context), id, changeOf(input));
      return { sourceId: source.id };
    },
  }),
);
