import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, SourceUnavailableError } from '../errors.ts';
import { sourceNameRule, sourcePartFields, sourcePartsOf } from '../source-input.ts';
import { SourcePayloadFields } from '../source-payload.ts';

const CreateSourceInput = builder.inputType('CreateSourceInput', {
  description: 'What the new source is made of; what is left out it does not have.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'Its name, unique in the workspace.',
      validate: sourceNameRule,
    }),
    ...sourcePartFields(t),
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
      const parts = sourcePartsOf(input);
      const source = await context.engine.createSource(actorOf(context), {
        database: null,
        excludedTables: [],
        clearedColumns: [],
        trees: [],
        configTrees: [],
        envFile: null,
        ...parts,
        drill: { url: null, onOwnServer: false, ...parts.drill },
        name: input.name,
      });
      return { sourceId: source.id };
    },
  }),
);
