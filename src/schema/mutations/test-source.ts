import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { ForbiddenError, InvalidInputError, NotFoundError, SourceUnavailableError } from '../errors.ts';
import { idOf } from '../global-id.ts';
import { SourceReportType } from '../source-report.ts';

const TestSourceInput = builder.inputType('TestSourceInput', {
  description: 'Which source to test.',
  fields: (t) => ({ sourceId: t.id({ required: true, description: 'The source.' }) }),
});

const TestSourcePayload = builder.simpleObject('TestSourcePayload', {
  description: 'The source can be reached.',
  fields: (t) => ({
    report: t.field({ type: SourceReportType, description: 'What it would give to a backup.' }),
  }),
});

builder.mutationField('testSource', (t) =>
  t.field({
    type: TestSourcePayload,
    description: 'Connects to a source and says what would be backed up. Changes nothing. Needs ADMIN.',
    authScopes: { admin: true },
    errors: { types: [InvalidInputError, ForbiddenError, NotFoundError, SourceUnavailableError] },
    args: { input: t.arg({ type: TestSourceInput, required: true, description: 'Which source.' }) },
    complexity: 50,
    resolve: async (_root, { input }, context) => {
      const id = idOf('Source', input.sourceId);
      return { report: await context.engine.testSource(actorOf(context), id, context.signal) };
    },
  }),
);
