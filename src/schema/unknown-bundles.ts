/** Files of the storage that are no backup: put there by somebody, or left by a catalog that was lost. */
import type { UnknownBundle, UnknownBundlePage } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import { builder } from './builder.ts';
import { checkCounts, pageSize } from './connection.ts';
import { actorOf } from './context.ts';
import { BundleEncryptionType, BundleSignatureType } from './encryption.ts';

const FoundBundleType = builder.objectRef<NonNullable<UnknownBundle['bundle']>>('FoundBundle').implement({
  description: 'What the manifest of a file says, read without a key. Nobody vouches for it but its signer.',
  fields: (t) => ({
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    sourceName: t.exposeString('sourceName', { description: 'The name of the source it was made from.' }),
    formatVersion: t.exposeInt('formatVersion', { description: 'Version of the bundle format.' }),
    encryption: t.field({
      type: BundleEncryptionType,
      description: 'How it is sealed.',
      resolve: ({ encryption }) => encryption,
    }),
    signature: t.field({
      type: BundleSignatureType,
      description: 'Who signed it.',
      resolve: ({ signer }) => signer,
    }),
  }),
});

const UnknownBundleType = builder.objectRef<UnknownBundle>('UnknownBundle').implement({
  description: 'A file in the storage of the workspace that is not in the catalog.',
  fields: (t) => ({
    storageKey: t.exposeString('storageKey', { description: 'Pass it to importBackup to make it a backup.' }),
    name: t.exposeString('name', { description: 'Its file name.' }),
    sizeBytes: t.expose('sizeBytes', { type: 'BigInt', description: 'Bytes of the file.' }),
    modifiedAt: t.expose('modifiedAt', { type: 'DateTime', description: 'When it was written last.' }),
    bundle: t.field({
      type: FoundBundleType,
      nullable: true,
      description: 'What it says of itself; null when it cannot be read as a bundle.',
      resolve: ({ bundle }) => bundle,
    }),
    problem: t.exposeString('problem', {
      nullable: true,
      description: 'Why it cannot be read as a bundle; null when it can.',
    }),
  }),
});

function encodeCursor({ storageKey }: UnknownBundle): string {
  return Buffer.from(JSON.stringify(['unknown', storageKey])).toString('base64url');
}

/** @throws {HoldfastError} INVALID_INPUT */
function decodeCursor(after: string): string {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(after, 'base64url').toString());
    if (Array.isArray(parsed) && parsed[0] === 'unknown' && typeof parsed[1] === 'string') return parsed[1];
  } catch {
    // Refused below, with cursors of other lists.
  }
  throw new HoldfastError('INVALID_INPUT', 'after: this is no cursor of this list.', {
    field: 'after',
    hint: 'Pass a cursor exactly as the API gave it, or leave it out to start from the beginning.',
  });
}

const UnknownBundleEdgeType = builder.objectRef<UnknownBundle>('UnknownBundleEdge').implement({
  description: 'A file in its list.',
  fields: (t) => ({
    cursor: t.string({ description: 'Pass it as `after` to go on from here.', resolve: encodeCursor }),
    node: t.field({ type: UnknownBundleType, description: 'The file.', resolve: (bundle) => bundle }),
  }),
});

const UnknownBundleConnectionType = builder
  .objectRef<UnknownBundlePage & { readonly fromStart: boolean }>('UnknownBundleConnection')
  .implement({
    description: 'A page of files.',
    fields: (t) => ({
      edges: t.field({
        type: [UnknownBundleEdgeType],
        description: 'The files of this page, each with its cursor.',
        // The field of the connection has already multiplied by the size of the page.
        complexity: { field: 0, multiplier: 1 },
        resolve: ({ bundles }) => [...bundles],
      }),
      pageInfo: t.field({
        type: builder.pageInfoRef(),
        description: 'Where this page stands in the list.',
        resolve: ({ bundles, more, fromStart }) => {
          const [first, last] = [bundles[0], bundles.at(-1)];
          return {
            startCursor: first === undefined ? null : encodeCursor(first),
            endCursor: last === undefined ? null : encodeCursor(last),
            hasNextPage: more,
            hasPreviousPage: !fromStart,
          };
        },
      }),
    }),
  });

builder.queryField('unknownBundles', (t) =>
  t.field({
    type: UnknownBundleConnectionType,
    nullable: true,
    authScopes: { admin: true },
    description:
      "Files in the workspace's folder of the storage that are not in the catalog, by name. What running records write is not among them. Each page lists the folder anew. Needs ADMIN.",
    args: {
      first: t.arg.int({ description: 'How many: 1 to 100; 20 when left out.' }),
      after: t.arg.string({ description: 'Only what comes after this cursor.' }),
    },
    complexity: (args) => ({ field: 20, multiplier: pageSize(args) }),
    resolve: async (_root, args, context) => {
      checkCounts(args);
      const after = args.after == null ? null : decodeCursor(args.after);
      const range = { after, count: pageSize(args) };
      const page = await context.engine.unknownBundles(actorOf(context), range, context.signal);
      return { ...page, fromStart: after === null };
    },
  }),
);
