/** The source in the payloads of the mutations that made or changed it. */
import type { ObjectFieldsShape } from '@pothos/core';
import type { builder } from './builder.ts';

type Types = typeof builder.$inferSchemaTypes;

/** The engine's rows of sources hold secrets and other shapes: read the source anew. */
export const SourcePayloadFields: ObjectFieldsShape<Types, { sourceId: string }> = (t) => ({
  source: t.prismaField({
    type: 'Source',
    description: 'The source.',
    resolve: (query, { sourceId }, _args, { prisma }) =>
      prisma.source.findUniqueOrThrow({ ...query, where: { id: sourceId } }),
  }),
});
