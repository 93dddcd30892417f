/** The Pothos builder that every file of the schema adds to: plugins, access, and the shape of connections. */
import SchemaBuilder from '@pothos/core';
import ComplexityPlugin from '@pothos/plugin-complexity';
import ErrorsPlugin from '@pothos/plugin-errors';
import PrismaPlugin from '@pothos/plugin-prisma';
import RelayPlugin from '@pothos/plugin-relay';
import ScopeAuthPlugin from '@pothos/plugin-scope-auth';
import SimpleObjectsPlugin from '@pothos/plugin-simple-objects';
import ValidationPlugin from '@pothos/plugin-validation';
import type { Role } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import { type SchemaContext, unauthenticated } from './context.ts';
import type PrismaTypes from './generated/pothos-types.ts';
import { getDatamodel } from './generated/pothos-types.ts';
import { decodeGlobalId, encodeGlobalId, isNodeType } from './global-id.ts';

/** What resolvers of the Prisma plugin may hand to a scalar, and what arguments arrive as. */
type Scalars = {
  ID: { Input: string; Output: string };
  DateTime: { Input: Date; Output: Date | string };
  BigInt: { Input: bigint; Output: bigint | number };
  JSON: { Input: unknown; Output: unknown };
};

const RANK: Record<Role, number> = { VIEWER: 0, OPERATOR: 1, ADMIN: 2, OWNER: 3 };

export const builder = new SchemaBuilder<{
  Context: SchemaContext;
  PrismaTypes: PrismaTypes;
  Scalars: Scalars;
  AuthScopes: { viewer: boolean; operator: boolean; admin: boolean; owner: boolean };
  DefaultFieldNullability: false;
  DefaultEdgesNullability: false;
  DefaultNodeNullability: false;
  Connection: { totalCount: () => Promise<number> };
}>({
  plugins: [
    ErrorsPlugin,
    RelayPlugin,
    ScopeAuthPlugin,
    ValidationPlugin,
    PrismaPlugin,
    SimpleObjectsPlugin,
    ComplexityPlugin,
  ],
  defaultFieldNullability: false,
  errors: {
    directResult: true,
    defaultUnionOptions: {
      name: ({ fieldName }) => `${fieldName.charAt(0).toUpperCase()}${fieldName.slice(1)}Result`,
      description: 'What was done, or the reason why nothing was.',
    },
    // An argument that breaks a rule is a refusal like any other; the rules are no secret.
    unsafelyHandleInputErrors: true,
  },
  validation: {
    validationError: ({ issues }) => {
      const [issue] = issues;
      const path = (issue?.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part));
      const field = (path[0] === 'input' ? path.slice(1) : path).join('.');
      return new HoldfastError('INVALID_INPUT', `${field}: ${issue?.message ?? 'is not valid'}`, { field });
    },
  },
  scopeAuth: {
    authorizeOnSubscribe: true,
    authScopes: ({ viewer }) => {
      const rank = viewer === null ? -1 : RANK[viewer.role];
      return {
        viewer: rank >= RANK.VIEWER,
        operator: rank >= RANK.OPERATOR,
        admin: rank >= RANK.ADMIN,
        owner: rank >= RANK.OWNER,
      };
    },
    unauthorizedError: (_parent, { viewer }, info) =>
      viewer === null
        ? unauthenticated()
        : new HoldfastError('FORBIDDEN', `The role ${viewer.role} does not allow ${info.fieldName}.`, {
            hint: 'Ask an administrator of the workspace, or use a key of a member whose role allows it.',
          }),
  },
  prisma: {
    client: (context) => context.prisma,
    dmmf: getDatamodel(),
    // A resolver that drops its query would read the catalog twice for the same rows.
    onUnusedQuery: 'error',
  },
  relay: {
    cursorType: 'String',
    brandLoadedObjects: true,
    encodeGlobalID: (typename, id) => encodeGlobalId(typename, String(id)),
    decodeGlobalID: (globalId) => decodeGlobalId(globalId),
    nodeTypeOptions: { description: 'An object that has an id of its own and can be fetched again by it.' },
    idFieldOptions: { description: 'The global id: opaque, unique among all types.' },
    nodeQueryOptions: {
      description: 'The object with this id; null when there is none in the workspace.',
      nullable: true,
      args: { id: { description: 'The global id.' } },
      resolve: (_root, { id }, _context, _info, resolveNode) =>
        isNodeType(id.typename) ? resolveNode(id) : null,
    },
    nodesQueryOptions: false,
    pageInfoTypeOptions: { description: 'Where a page stands in its list.' },
    pageInfoFieldOptions: { description: 'Where this page stands in the list.' },
    hasNextPageFieldOptions: { description: 'Whether more follows after this page.' },
    hasPreviousPageFieldOptions: { description: 'Whether something comes before this page.' },
    startCursorFieldOptions: { description: 'Cursor of the first edge; null when the page is empty.' },
    endCursorFieldOptions: { description: 'Cursor of the last edge; null when the page is empty.' },
    cursorFieldOptions: { description: 'Pass it as `after` or `before` to go on from here.' },
    nodeFieldOptions: { description: 'The item itself.', nullable: false },
    edgesFieldOptions: {
      description: 'The items of this page, each with its cursor.',
      nullable: false,
      // The connection's own field has already multiplied by the size of the page.
      complexity: { field: 0, multiplier: 1 },
    },
    firstArgOptions: {
      description: 'How many from the front: 1 to 100; 20 when neither it nor `last` is given.',
    },
    lastArgOptions: { description: 'How many from the back: 1 to 100.' },
    afterArgOptions: { description: 'Only what comes after this cursor.' },
    beforeArgOptions: { description: 'Only what comes before this cursor.' },
  },
  complexity: { defaultComplexity: 1, defaultListMultiplier: 8 },
});

builder.queryType({ description: 'Everything that can be read.', authScopes: { viewer: true } });
builder.mutationType({
  description: 'Everything that can be done. Long work answers with its record at once.',
  authScopes: { viewer: true },
});
builder.subscriptionType({ description: 'Everything that can be watched.', authScopes: { viewer: true } });

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description: 'How many items the whole list has.',
    resolve: (connection) => connection.totalCount(),
  }),
);
