import { builder } from '../builder.ts';
import { actorOf } from '../context.ts';
import { CompressionEnum } from '../enums.ts';
import { ForbiddenError, InvalidInputError } from '../errors.ts';
import { RecordNode } from '../record.ts';

const RunSelfTestInput = builder.inputType('RunSelfTestInput', {
  description: 'How to test.',
  fields: (t) => ({
    compression: t.field({
      type: CompressionEnum,
      required: true,
      defaultValue: 'DEFLATE_1',
      description: "How the canary's bundle is compressed: that of the backups that matter.",
    }),
  }),
});

const RunSelfTestPayload = builder.simpleObject('RunSelfTestPayload', {
  description: 'The self-test is on its way.',
  fields: (t) => ({
    record: t.field({ type: RecordNode, description: 'The record that tests; its result tells each step.' }),
  }),
});

builder.mutationField('runSelfTest', (t) =>
  t.field({
    type: RunSelfTestPayload,
    description:
      'Backs up a canary to the real storage, sealed and signed, destroys, restores and compares it. Nothing of it stays, and it is no backup in any list. Needs OPERATOR.',
    authScopes: { operator: true },
    errors: { types: [InvalidInputError, ForbiddenError] },
    args: { input: t.arg({ type: RunSelfTestInput, required: true, description: 'How to test.' }) },
    resolve: async (_root, { input }, context) => ({
      record: await context.engine.runSelfTest(actorOf(context), { compression: input.compression }),
    }),
  }),
);
