/** The manifest of a bundle, typed. */
import type {
  Manifest,
  ManifestDatabase,
  ManifestSchema,
  ManifestTable,
  ManifestTree,
} from '../bundle/manifest.ts';
import type { SequenceState } from '../source/source.ts';
import { builder } from './builder.ts';
import { TableNameType } from './database-names.ts';
import { BundleEncryptionType } from './encryption.ts';
import { CompressionEnum, DatabaseKindEnum, TreeAreaEnum, TriggerEnum } from './enums.ts';

export const LeftOutType = builder.objectRef<{ name: string; reason: string }>('LeftOut').implement({
  description: 'Something that is not backed up, and why.',
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What it is.' }),
    reason: t.exposeString('reason', { description: 'Why it is left out.' }),
  }),
});

export const ManifestColumnType = builder
  .objectRef<ManifestTable['columns'][number]>('ManifestColumn')
  .implement({
    description: 'A column whose values the bundle holds.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name.' }),
      type: t.exposeString('type', { description: 'Its type, as the database printed it.' }),
      nullable: t.exposeBoolean('nullable', { description: 'Whether it may be NULL.' }),
    }),
  });

export const ForeignKeyType = builder
  .objectRef<{
    name: string;
    columns: readonly string[];
    references: { schema: string | null; name: string };
    referencedColumns: readonly string[];
  }>('ForeignKey')
  .implement({
    description: 'A foreign key of a table.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'Its name.' }),
      columns: t.stringList({ description: 'The columns that point.', resolve: ({ columns }) => columns }),
      references: t.expose('references', { type: TableNameType, description: 'The table it points to.' }),
      referencedColumns: t.stringList({
        description: 'The columns it points to.',
        resolve: ({ referencedColumns }) => referencedColumns,
      }),
    }),
  });

const ManifestTableType = builder.objectRef<ManifestTable>('ManifestTable').implement({
  description: 'A table that the bundle holds.',
  fields: (t) => ({
    schema: t.exposeString('schema', { nullable: true, description: 'Null where there are no schemas.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    columns: t.expose('columns', { type: [ManifestColumnType], description: 'The columns held, in order.' }),
    primaryKey: t.exposeStringList('primaryKey', { description: 'The columns of the primary key.' }),
    foreignKeys: t.expose('foreignKeys', { type: [ForeignKeyType], description: 'Its foreign keys.' }),
    rowCount: t.expose('rowCount', { type: 'BigInt', description: 'How many rows the bundle holds.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Bytes of its JSON, before compression.' }),
  }),
});

const ManifestSequenceType = builder.objectRef<SequenceState>('ManifestSequence').implement({
  description: 'A sequence or counter as it stood.',
  fields: (t) => ({
    schema: t.exposeString('schema', { nullable: true, description: 'Null where there are no schemas.' }),
    name: t.exposeString('name', { description: "Its name; for SQLite the table's." }),
    lastValue: t.field({
      type: 'BigInt',
      description: 'The last value.',
      resolve: ({ lastValue }) => BigInt(lastValue),
    }),
    isCalled: t.exposeBoolean('isCalled', {
      description: 'False when the last value itself is the next to be given out.',
    }),
  }),
});

const ManifestSchemaType = builder.objectRef<ManifestSchema>('ManifestSchema').implement({
  description: 'The structure of the database, held as DDL.',
  fields: (t) => ({
    before: t.exposeString('before', { description: 'The entry with what runs before the rows.' }),
    after: t.exposeString('after', { description: 'The entry with what runs after the rows.' }),
    notCarried: t.expose('notCarried', {
      type: [LeftOutType],
      description: 'What of the structure is not held, and why.',
    }),
  }),
});

const ManifestDatabaseType = builder.objectRef<ManifestDatabase>('ManifestDatabase').implement({
  description: 'The database that a bundle was made from.',
  fields: (t) => ({
    kind: t.expose('kind', { type: DatabaseKindEnum, description: 'Its kind.' }),
    serverVersion: t.exposeString('serverVersion', { description: 'The version of the database program.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    snapshotAt: t.expose('snapshotAt', { type: 'DateTime', description: 'The one moment all tables show.' }),
    schemaFingerprint: t.exposeString('schemaFingerprint', {
      description: 'SHA-256 over the structure of the tables held.',
    }),
    appliedMigrations: t.exposeStringList('appliedMigrations', {
      description: 'Migrations of the application that had been applied, oldest first.',
    }),
    tables: t.expose('tables', {
      type: [ManifestTableType],
      description: 'The tables held, parents before children.',
    }),
    sequences: t.expose('sequences', {
      type: [ManifestSequenceType],
      description: 'Sequences and counters.',
    }),
    schema: t.expose('schema', {
      type: ManifestSchemaType,
      nullable: true,
      description: 'The structure as DDL; null when rows alone are held.',
    }),
  }),
});

const ManifestTreeType = builder.objectRef<ManifestTree>('ManifestTree').implement({
  description: 'A tree of files that the bundle holds.',
  fields: (t) => ({
    area: t.expose('area', { type: TreeAreaEnum, description: 'Files or configuration.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    include: t.exposeStringList('include', { description: 'Globs that were taken; everything when empty.' }),
    exclude: t.exposeStringList('exclude', { description: 'Globs that were left out.' }),
    fileCount: t.expose('fileCount', { type: 'BigInt', description: 'How many files.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Bytes of the files, before compression.' }),
  }),
});

const ManifestSignatureType = builder
  .objectRef<NonNullable<Manifest['signature']>>('ManifestSignature')
  .implement({
    description: 'The signature of a manifest, over its canonical JSON (RFC 8785) without the signature.',
    fields: (t) => ({
      algorithm: t.exposeString('algorithm', { description: 'Ed25519.' }),
      publicKey: t.exposeString('publicKey', { description: 'The public key, base64.' }),
      fingerprint: t.exposeString('fingerprint', {
        description: 'SHA-256 of the public key, hexadecimal.',
      }),
      value: t.exposeString('value', { description: 'The signature itself, base64.' }),
    }),
  });

export const ManifestType = builder.objectRef<Manifest>('Manifest').implement({
  description: 'What a bundle says of itself.',
  fields: (t) => ({
    formatVersion: t.exposeInt('formatVersion', { description: 'Version of the bundle format.' }),
    toolVersion: t.string({
      description: 'Version of the Holdfast that wrote it.',
      resolve: ({ tool }) => tool.version,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    createdBy: t.exposeString('createdBy', { description: 'Name of the member who asked for it.' }),
    trigger: t.expose('trigger', { type: TriggerEnum, description: 'Why it was made.' }),
    hostName: t.string({ description: 'Where it was made.', resolve: ({ host }) => host.name }),
    hostPlatform: t.string({
      description: 'The operating system it was made on.',
      resolve: ({ host }) => host.platform,
    }),
    sourceName: t.string({
      description: 'Name of the source when the bundle was made.',
      resolve: ({ source }) => source.name,
    }),
    database: t.expose('database', {
      type: ManifestDatabaseType,
      nullable: true,
      description: 'The database held; null when there is none.',
    }),
    trees: t.expose('trees', { type: [ManifestTreeType], description: 'The trees held.' }),
    envFile: t.exposeBoolean('envFile', { description: 'Whether the env file is held.' }),
    compression: t.expose('compression', {
      type: CompressionEnum,
      description: 'How the content is compressed.',
    }),
    encryption: t.expose('encryption', {
      type: BundleEncryptionType,
      description: 'How the bundle is sealed.',
    }),
    signature: t.field({
      type: ManifestSignatureType,
      nullable: true,
      description:
        'Who vouches for it; null when nobody signed. `Backup.signature` says whether that is trusted.',
      resolve: ({ signature }) => signature ?? null,
    }),
    filesReadFrom: t.field({
      type: 'DateTime',
      nullable: true,
      description: "When reading the files began: not the database's moment. Null without files.",
      resolve: ({ filesReadAt }) => filesReadAt?.from ?? null,
    }),
    filesReadTo: t.field({
      type: 'DateTime',
      nullable: true,
      description: 'When reading the files ended. Null without files.',
      resolve: ({ filesReadAt }) => filesReadAt?.to ?? null,
    }),
    leftOut: t.expose('leftOut', { type: [LeftOutType], description: 'What is not held, and why.' }),
    warnings: t.exposeStringList('warnings', { description: 'What went not quite as it should.' }),
  }),
});
