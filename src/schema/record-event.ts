/**
 * Live progress. Neither the errors plugin nor async generators here: both would release their source only at the
 * next event. `record` is the row the event carries, so an event costs no query, however many listen.
 */
import { z } from 'zod';
import type { RecordEvent } from '../events/record-event.ts';
import { builder } from './builder.ts';
import { idOf } from './global-id.ts';
import { PhaseType } from './progress.ts';
import { RecordNode } from './record.ts';

type PhaseEvent = Extract<RecordEvent, { phase: unknown }>;

const RecordEventInterface = builder.interfaceRef<RecordEvent>('RecordEvent').implement({
  description: 'Something that happened to a record.',
  resolveType: ({ type }) => TYPES[type],
  fields: (t) => ({
    sequence: t.exposeInt('sequence', {
      description:
        'Number of the last state event: grows by one with each of them, within a record. Progress repeats it. Go on after it with `afterSequence`.',
    }),
    occurredAt: t.expose('occurredAt', { type: 'DateTime', description: 'When it happened.' }),
    record: t.field({
      type: RecordNode,
      description: 'The record as it stood then.',
      resolve: ({ record }) => record,
    }),
  }),
});

builder.objectRef<RecordEvent>('RecordSnapshot').implement({
  description: 'The record as it stands; the first event, and whenever its status changes.',
  interfaces: [RecordEventInterface],
});
builder.objectRef<PhaseEvent>('PhaseStarted').implement({
  description: 'A phase began.',
  interfaces: [RecordEventInterface],
  fields: (t) => ({ phase: t.expose('phase', { type: PhaseType, description: 'The phase.' }) }),
});
builder.objectRef<PhaseEvent>('PhaseProgressed').implement({
  description:
    'The counters of a phase moved. At most about four a second; some are left out for slow readers.',
  interfaces: [RecordEventInterface],
  fields: (t) => ({ phase: t.expose('phase', { type: PhaseType, description: 'The phase.' }) }),
});
builder.objectRef<PhaseEvent>('PhaseFinished').implement({
  description: 'A phase ended.',
  interfaces: [RecordEventInterface],
  fields: (t) => ({ phase: t.expose('phase', { type: PhaseType, description: 'The phase.' }) }),
});
builder.objectRef<RecordEvent>('RecordFinished').implement({
  description: 'The record ended; nothing follows.',
  interfaces: [RecordEventInterface],
});

const TYPES = {
  RECORD_SNAPSHOT: 'RecordSnapshot',
  PHASE_STARTED: 'PhaseStarted',
  PHASE_PROGRESSED: 'PhaseProgressed',
  PHASE_FINISHED: 'PhaseFinished',
  RECORD_FINISHED: 'RecordFinished',
} as const satisfies Record<RecordEvent['type'], string>;

builder.subscriptionFields((t) => ({
  recordProgress: t.field({
    type: RecordEventInterface,
    description:
      'A record as it stands, then everything that happens to it, in order, until it ends. NOT_FOUND when the workspace has no such record.',
    args: {
      recordId: t.arg.id({ required: true, description: 'The record.' }),
      afterSequence: t.arg.int({
        description: 'The last sequence already seen: state events up to it are not told again.',
        validate: z.int().min(0, 'must not be negative'),
      }),
    },
    subscribe: (_root, { recordId, afterSequence }, context) =>
      context.followRecord(idOf('Record', recordId), afterSequence ?? null),
    resolve: (event) => event,
  }),
  workspaceEvents: t.field({
    type: RecordEventInterface,
    description: 'What is running, then everything that happens to any record. Without replay; never ends.',
    subscribe: (_root, _args, context) => context.followWorkspace(),
    resolve: (event) => event,
  }),
}));
