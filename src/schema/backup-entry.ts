/** The entries of a backup, page by page. */
import { z } from 'zod';
import type { EntryFilter, EntryPage, ListedEntry } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import { builder } from './builder.ts';
import { checkCounts, pageSize } from './connection.ts';
import { actorOf, type SchemaContext } from './context.ts';
import { UnlockInput, unlockOf } from './encryption.ts';
import { searchRule } from './list-input.ts';

/** A page and the backup it is of. */
interface PageOf {
  readonly backupId: string;
  readonly page: EntryPage;
}

/** An entry and the backup that holds it. */
interface EntryOf {
  readonly backupId: string;
  readonly listed: ListedEntry;
}

const EntryKindEnum = builder.enumType('BackupEntryKind', {
  description: 'What an entry of a backup is.',
  values: {
    TABLE_PART: { description: 'Rows of a table, or some of them.' },
    SCHEMA: { description: 'The structure of the database, as DDL.' },
    FILE: { description: 'A file.' },
    DIRECTORY: { description: 'A directory.' },
    SYMLINK: { description: 'A symbolic link.' },
  } as const,
});

const EntryAreaEnum = builder.enumType('BackupEntryArea', {
  description: 'The parts of a backup.',
  values: {
    DATABASE: { value: 'db', description: 'The database.' },
    FILES: { value: 'files', description: 'File trees.' },
    CONFIG: { value: 'config', description: 'Configuration directories.' },
    ENV: { value: 'env', description: 'The env file.' },
  } as const,
});

/** Null where JavaScript has no date so far away. */
function modifiedAt(mtimeNs: string): Date | null {
  const date = new Date(Number(BigInt(mtimeNs) / 1_000_000n));
  return Number.isNaN(date.getTime()) ? null : date;
}

const BackupEntryType = builder.objectRef<EntryOf>('BackupEntry').implement({
  description: 'Something that a backup holds: a file, a directory, a link, or a part of a table.',
  fields: (t) => ({
    entry: t.string({
      description: 'Its name in the bundle.',
      resolve: ({ listed }) => listed.entry.entry,
    }),
    kind: t.field({
      type: EntryKindEnum,
      description: 'What it is.',
      resolve: ({ listed }) => listed.entry.kind,
    }),
    area: t.field({
      type: EntryAreaEnum,
      description: 'Which part of the backup it belongs to.',
      resolve: ({ listed }) => ('area' in listed.entry ? listed.entry.area : 'db'),
    }),
    tree: t.string({
      nullable: true,
      description: 'The tree it is in; null for the database and the env file.',
      resolve: ({ listed }) =>
        'tree' in listed.entry && listed.entry.tree !== '' ? listed.entry.tree : null,
    }),
    path: t.string({
      nullable: true,
      description:
        'Its path within the tree; bytes that are no UTF-8 are lone surrogates U+DC80 to U+DCFF. Null for the database.',
      resolve: ({ listed }) => ('path' in listed.entry ? listed.entry.path : null),
    }),
    size: t.field({
      type: 'BigInt',
      nullable: true,
      description: 'Bytes of content, before compression; null for a directory.',
      resolve: ({ listed }) => ('size' in listed.entry ? listed.entry.size : null),
    }),
    sha256: t.string({
      nullable: true,
      description: 'SHA-256 of the content, hexadecimal; null for a directory.',
      resolve: ({ listed }) => ('sha256' in listed.entry ? listed.entry.sha256 : null),
    }),
    mode: t.int({
      nullable: true,
      description: 'Permission bits; null for the database.',
      resolve: ({ listed }) => ('mode' in listed.entry ? listed.entry.mode : null),
    }),
    modifiedAt: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When it was last changed; null for the database.',
      resolve: ({ listed }) => ('mtimeNs' in listed.entry ? modifiedAt(listed.entry.mtimeNs) : null),
    }),
    target: t.string({
      nullable: true,
      description: 'Where a link leads; null for anything else.',
      resolve: ({ listed }) => (listed.entry.kind === 'SYMLINK' ? listed.entry.target : null),
    }),
    schema: t.string({
      nullable: true,
      description: 'Schema of the table; null where there are none, and for anything else.',
      resolve: ({ listed }) => (listed.entry.kind === 'TABLE_PART' ? listed.entry.schema : null),
    }),
    table: t.string({
      nullable: true,
      description: 'The table whose rows it holds; null for anything else.',
      resolve: ({ listed }) => (listed.entry.kind === 'TABLE_PART' ? listed.entry.table : null),
    }),
    part: t.int({
      nullable: true,
      description: 'Which part of the table, from 1; null for anything else.',
      resolve: ({ listed }) => (listed.entry.kind === 'TABLE_PART' ? listed.entry.part : null),
    }),
    rows: t.field({
      type: 'BigInt',
      nullable: true,
      description: 'How many rows it holds; null for what holds none.',
      resolve: ({ listed }) => (listed.entry.kind === 'TABLE_PART' ? listed.entry.rows : null),
    }),
    downloadUrl: t.string({
      nullable: true,
      description:
        'A signed link to the content of a file that expires soon; null for anything else. Where a passphrase or identity opens the bundle it takes a POST with `{ "unlock": … }` and the API key.',
      resolve: ({ backupId, listed }, _args, context) =>
        listed.entry.kind === 'FILE' ? context.signDownload(backupId, listed.position) : null,
    }),
  }),
});

const cursorSchema = z.tuple([z.literal('entry'), z.int().nonnegative()]);

function encodeCursor(position: number): string {
  return Buffer.from(JSON.stringify(['entry', position])).toString('base64url');
}

/** @throws {HoldfastError} INVALID_INPUT */
function decodeCursor(after: string): number {
  try {
    return cursorSchema.parse(JSON.parse(Buffer.from(after, 'base64url').toString()))[1];
  } catch (cause) {
    throw new HoldfastError('INVALID_INPUT', 'after: this is no cursor of the entries of a backup.', {
      field: 'after',
      hint: 'Pass a cursor exactly as the API gave it, or leave it out to start from the beginning.',
      cause,
    });
  }
}

const BackupEntryEdgeType = builder.objectRef<EntryOf>('BackupEntryEdge').implement({
  description: 'An entry in its list.',
  fields: (t) => ({
    cursor: t.string({
      description: 'Pass it as `after` to go on from here.',
      resolve: ({ listed }) => encodeCursor(listed.position),
    }),
    node: t.field({ type: BackupEntryType, description: 'The entry.', resolve: (entry) => entry }),
  }),
});

export const BackupEntryConnectionType = builder.objectRef<PageOf>('BackupEntryConnection').implement({
  description: 'A page of the entries of a backup.',
  fields: (t) => ({
    edges: t.field({
      type: [BackupEntryEdgeType],
      description: 'The entries of this page, each with its cursor.',
      // The field of the connection has already multiplied by the size of the page.
      complexity: { field: 0, multiplier: 1 },
      resolve: ({ backupId, page }) => page.entries.map((listed) => ({ backupId, listed })),
    }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description: 'Where this page stands in the list.',
      resolve: ({ page: { entries, hasNext, hasPrevious } }) => {
        const [first, last] = [entries[0], entries.at(-1)];
        return {
          startCursor: first === undefined ? null : encodeCursor(first.position),
          endCursor: last === undefined ? null : encodeCursor(last.position),
          hasNextPage: hasNext,
          hasPreviousPage: hasPrevious,
        };
      },
    }),
    totalCount: t.field({
      type: 'BigInt',
      description: 'How many entries the filter keeps.',
      resolve: ({ page }) => page.totalCount,
    }),
  }),
});

const BackupEntryFilterInput = builder.inputType('BackupEntryFilter', {
  description: 'Which entries to list. Conditions are joined by AND.',
  fields: (t) => ({
    area: t.field({ type: [EntryAreaEnum], description: 'In one of these parts.' }),
    kind: t.field({ type: [EntryKindEnum], description: 'Of one of these kinds.' }),
    tree: t.string({ description: 'In the tree of this name.' }),
    pathPrefix: t.string({
      description: 'Whose path begins with this; end it with `/` for what is in a directory.',
      validate: searchRule,
    }),
    search: t.string({
      description: 'With this in the path, or in the name of the table. Upper and lower case differ.',
      validate: searchRule,
    }),
  }),
});

function filterOf(input: typeof BackupEntryFilterInput.$inferInput | null | undefined): EntryFilter {
  return {
    areas: input?.area ?? undefined,
    kinds: input?.kind ?? undefined,
    tree: input?.tree ?? undefined,
    pathPrefix: input?.pathPrefix ?? undefined,
    search: input?.search ?? undefined,
  };
}

/** Arguments of a list of entries. */
export const entryListArguments = builder.args((t) => ({
  filter: t.field({ type: BackupEntryFilterInput, description: 'Which entries; all when left out.' }),
  first: t.int({ description: 'How many: 1 to 100; 20 when left out.' }),
  after: t.string({ description: 'Only what comes after this cursor.' }),
  unlock: t.field({
    type: UnlockInput,
    description: 'What opens the bundle, where its key is not kept here.',
  }),
}));

/** What a list of entries can be asked for. */
export interface EntryListArguments {
  filter?: typeof BackupEntryFilterInput.$inferInput | null | undefined;
  first?: number | null | undefined;
  after?: string | null | undefined;
  unlock?: typeof UnlockInput.$inferInput | null | undefined;
}

/** One page of the entries of a backup. */
export async function readEntries(
  backupId: string,
  args: EntryListArguments,
  context: SchemaContext,
): Promise<PageOf> {
  checkCounts(args);
  const range = { after: args.after == null ? null : decodeCursor(args.after), count: pageSize(args) };
  const { engine, signal } = context;
  const page = await engine.listEntries(
    actorOf(context),
    backupId,
    filterOf(args.filter),
    range,
    signal,
    unlockOf(args.unlock),
  );
  return { backupId, page };
}
