/** Certificates: what verifications of a backup have found. */
import { z } from 'zod';
import type { CertifiedTable, Verdict, VerifyLevel } from '../catalog/catalog.ts';
import type { Backup, Certificate } from '../catalog/generated/client.ts';
import { batched } from './batch.ts';
import { builder } from './builder.ts';
import type { SchemaContext } from './context.ts';
import { VerdictEnum, VerifyLevelEnum } from './enums.ts';

/** A certificate, or what is known of a verification of before there were any. */
interface Verification {
  readonly at: Date;
  readonly startedAt: Date | null;
  readonly level: VerifyLevel;
  readonly verdict: Verdict;
  readonly message: string | null;
  readonly restoreSeconds: number | null;
  readonly counts: Pick<Certificate, 'entries' | 'rows' | 'bytes' | 'files'> | null;
  readonly tables: readonly CertifiedTable[];
  readonly recordId: string | null;
}

// Objects may hold more than is known here: a newer Holdfast may have written them.
const certifiedTables: z.ZodType<CertifiedTable[]> = z.array(
  z.object({
    schema: z.string().nullable(),
    name: z.string(),
    rows: z.number(),
    digest: z.string().nullable(),
  }),
);

/** A certificate as it is shown. */
export function verificationOf(certificate: Certificate): Verification {
  return {
    at: certificate.finishedAt,
    startedAt: certificate.startedAt,
    level: certificate.level,
    verdict: certificate.verdict,
    message: certificate.message,
    restoreSeconds: certificate.restoreSeconds,
    counts: certificate,
    tables: certifiedTables.parse(certificate.tables),
    recordId: certificate.recordId,
  };
}

const loadOfMoment = batched<string, Certificate>(async ({ prisma }, keys) => {
  const moments = keys.map((key) => {
    const [backupId = '', at = ''] = key.split(' ');
    return { backupId, finishedAt: new Date(at) };
  });
  const found = await prisma.certificate.findMany({ where: { OR: moments } });
  return new Map(found.map((row) => [`${row.backupId} ${row.finishedAt.toISOString()}`, row]));
});

/** The verification whose verdict a backup bears; null when there was none. */
export async function loadStanding(
  context: SchemaContext,
  { id, lastVerifiedAt, lastVerdict, lastVerifyMessage }: Backup,
): Promise<Verification | null> {
  if (lastVerifiedAt === null || lastVerdict === null) return null;
  const certificate = await loadOfMoment(context, `${id} ${lastVerifiedAt.toISOString()}`);
  if (certificate !== null) return verificationOf(certificate);
  return {
    at: lastVerifiedAt,
    startedAt: null,
    level: 'CONTENT',
    verdict: lastVerdict,
    message: lastVerifyMessage,
    restoreSeconds: null,
    counts: null,
    tables: [],
    recordId: null,
  };
}

const CertifiedTableType = builder.objectRef<CertifiedTable>('CertifiedTable').implement({
  description: 'A table as a verification found it.',
  fields: (t) => ({
    schema: t.exposeString('schema', { nullable: true, description: 'Null where there are no schemas.' }),
    name: t.exposeString('name', { description: 'Its name.' }),
    rows: t.expose('rows', { type: 'BigInt', description: 'Its rows.' }),
    digest: t.exposeString('digest', {
      nullable: true,
      description:
        'The content digest of the rows: as the drill read them back from the database, or made anew of those in the bundle; null where neither was done.',
    }),
  }),
});

export const VerificationType = builder.objectRef<Verification>('Verification').implement({
  description: 'The certificate of one verification of a backup.',
  fields: (t) => ({
    at: t.expose('at', { type: 'DateTime', description: 'When it ended.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it began; null, as the counts, for one of before certificates were kept.',
    }),
    durationSeconds: t.float({
      nullable: true,
      description: 'Seconds it took.',
      resolve: ({ at, startedAt }) =>
        startedAt === null ? null : (at.getTime() - startedAt.getTime()) / 1000,
    }),
    level: t.expose('level', { type: VerifyLevelEnum, description: 'How deep it looked.' }),
    verdict: t.expose('verdict', { type: VerdictEnum, description: 'What it found.' }),
    message: t.exposeString('message', {
      nullable: true,
      description: 'What it found, in a sentence.',
    }),
    restoreSeconds: t.exposeFloat('restoreSeconds', {
      nullable: true,
      description: 'Seconds the restore of a drill took; null without one that passed.',
    }),
    entries: t.field({
      type: 'BigInt',
      nullable: true,
      description: 'Entries of the bundle it read.',
      resolve: ({ counts }) => counts?.entries ?? null,
    }),
    rows: t.field({
      type: 'BigInt',
      nullable: true,
      description: 'Rows it read.',
      resolve: ({ counts }) => counts?.rows ?? null,
    }),
    bytes: t.field({
      type: 'BigInt',
      nullable: true,
      description: 'Bytes of content it read.',
      resolve: ({ counts }) => counts?.bytes ?? null,
    }),
    files: t.field({
      type: 'BigInt',
      nullable: true,
      description: 'Files and links it read.',
      resolve: ({ counts }) => counts?.files ?? null,
    }),
    tables: t.field({
      type: [CertifiedTableType],
      description: 'Each table; none for a look at the file alone.',
      resolve: ({ tables }) => tables,
    }),
  }),
});

// The record's own type refers to backups, and those to certificates: by its name.
builder.objectField(VerificationType, 'record', (t) =>
  t.prismaField({
    type: 'Record',
    nullable: true,
    description: 'The record that verified; null once it is gone.',
    resolve: (query, { recordId }, _args, { prisma }) =>
      recordId === null ? null : prisma.record.findUnique({ ...query, where: { id: recordId } }),
  }),
);
