/** Locks: who works on a source. */
import { builder } from './builder.ts';
import { actorOf } from './context.ts';

const LockType = builder.prismaObject('Lock', {
  description: 'The hold of a record on a source. Others wait or are refused.',
  fields: (t) => ({
    owner: t.exposeString('owner', { description: 'The process that works: host, process id and start.' }),
    acquiredAt: t.expose('acquiredAt', { type: 'DateTime', description: 'Since when.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      description: 'Until when, unless the owner renews it; a living owner does.',
    }),
    source: t.relation('source', { description: 'The source it is held on.' }),
    record: t.prismaField({
      type: 'Record',
      nullable: true,
      description: 'The record that holds it.',
      resolve: (query, { recordId }, _args, { prisma }) =>
        prisma.record.findUnique({ ...query, where: { id: recordId } }),
    }),
  }),
});

builder.queryField('locks', (t) =>
  t.prismaField({
    type: [LockType],
    description: 'The locks held now, one a source at most.',
    resolve: (query, _root, _args, context) =>
      context.prisma.lock.findMany({
        ...query,
        // Locks have no workspace of their own.
        where: { source: { workspaceId: actorOf(context).workspaceId }, expiresAt: { gt: new Date() } },
        orderBy: { acquiredAt: 'asc' },
      }),
  }),
);

export { LockType };
