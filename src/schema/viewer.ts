/** Who asks. */
import type { Actor } from '../engine/engine.ts';
import { builder } from './builder.ts';
import { actorOf } from './context.ts';
import { RoleEnum } from './enums.ts';

const ViewerType = builder.objectRef<Actor>('Viewer').implement({
  description: 'Who asks: the member the API key belongs to.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'Name of the member.' }),
    role: t.expose('role', { type: RoleEnum, description: 'What the member may do.' }),
  }),
});

builder.queryField('viewer', (t) =>
  t.field({
    type: ViewerType,
    description: 'Who asks.',
    resolve: (_root, _args, context) => actorOf(context),
  }),
);
