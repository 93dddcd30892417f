import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { TableNameInput, tableNameOf } from '../database-names.ts';
import { ForbiddenError, InvalidInputError, SourceUnavailableError } from '../errors.ts';
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

const CreateSourceInput = builder.inputType('CreateSourceInput', {
  description: 'What the new source is made of.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'Its name, unique in the workspace.',
      validate: sourceNameRule,
    }),
    database: t.field({ type: SourceDatabaseInput, description: 'Its database; left out, it has none.' }),
    excludedTables: t.field({ type: [TableNameInput], description: 'Tables not to back up.' }),
    clearedColumns: t.field({
      type: [ClearedColumnsInput],
      description: 'Columns that a restore sets to NULL.',
    }),
    trees: t.field({ type: [FileTreeInput], description: 'Directories to back up.' }),
    configTrees: t.field({ type: [FileTreeInput], description: 'Configuration directories to back up.' }),
    envFile: t.field({ type: EnvFileInput, description: 'The env file; left out, there is none.' }),
  }),
});

const CreateSourcePayload = builder
  .objectRef<{ sourceId: string }>('CreateSourcePayload')
  .implement({ description: 'The new source.', fields: SourcePayloadFields });

builder.mutationField('createSource', (t) =>
  t.field({
    type: CreateSourcePayload,
    description: 'Adds a source. Paths must lie inside the configured roots. Needs ADMIN.',
    authScopes: { admin: true },
    errors: { types: [InvalidInputError, ForbiddenError, SourceUnavailableError] },
    args: { input: t.arg({ type: CreateSourceInput, required: true, description: 'What it is made of.' }) },
    resolve: async (_root, { input }, context) => {
      const source = await context.engine.createSource(actorOf(context), {
        name: input.name,
        database: input.database ? databaseOf(input.database) : null,
        excludedTables: (input.excludedTables ?? []).map(tableNameOf),
        clearedColumns: (input.clearedColumns ?? []).map(clearedColumnsOf),
        trees: (input.trees ?? []).map(fileTreeOf),
        configTrees: (input.configTrees ?? []).map(fileTreeOf),
        envFile: input.envFile ? envFileOf(input.envFile) : null,
      });
      return { sourceId: source.id };
    },
  }),
);
