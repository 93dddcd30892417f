import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ScopedPrisma, scopeToWorkspace } from '../../src/catalog/scoped.ts';
import { aBackup, aRecord, aSource, type TestCatalog, testCatalog } from './support.ts';

let catalog: TestCatalog;
let scoped: ScopedPrisma;
let theirs: Awaited<ReturnType<typeof furnish>>;
let ours: Awaited<ReturnType<typeof furnish>>;

/** One of everything. */
async function furnish(workspaceId: string) {
  const { prisma, catalog: repositories } = catalog;
  const member = await prisma.member.create({
    data: {
      workspaceId,
      name: 'owner',
      role: 'OWNER',
      apiKeys: { create: { name: 'k', hash: workspaceId, prefix: 'hf_' } },
    },
    include: { apiKeys: true },
  });
  const source = await repositories.sources.create(workspaceId, aSource());
  const job = await prisma.job.create({
    data: { workspaceId, sourceId: source.id, name: 'nightly', selection: {}, retention: {} },
  });
  const backup = await repositories.backups.create(
    aBackup(workspaceId, { sourceId: source.id, jobId: job.id }),
  );
  const record = await repositories.records.create(
    aRecord(workspaceId, { sourceId: source.id, jobId: job.id, backupId: backup.id }),
  );
  await repositories.records.create(aRecord(workspaceId, { parentId: record.id }));
  await repositories.locks.acquire(source.id, record.id, 'o', new Date(Date.now() + 60_000));
  await repositories.uploads.create({
    id: `upload-${workspaceId}`,
    workspaceId,
    fileName: 'a.zip',
    sizeBytes: 1n,
    checksum: '',
    expiresAt: new Date(),
  });
  await prisma.setting.create({ data: { workspaceId, key: 'theme', value: 'dark' } });
  return { member, source, job, backup, record };
}

beforeAll(async () => {
  catalog = await testCatalog();
  ours = await furnish(catalog.ours);
  theirs = await furnish(catalog.theirs);
  scoped = scopeToWorkspace(catalog.prisma, catalog.ours);
});
afterAll(() => catalog.remove());

const MODELS = [
  'workspace',
  'member',
  'apiKey',
  'source',
  'job',
  'backup',
  'record',
  'recordEvent',
  'lock',
  'upload',
  'setting',
] as const;

/** The part of a delegate that all models share. */
interface Reads {
  findMany(args?: object): Promise<object[]>;
  findFirst(args?: object): Promise<object | null>;
  count(args?: object): Promise<number>;
  aggregate(args: object): Promise<{ _count: number }>;
}

function reads(client: ScopedPrisma, model: (typeof MODELS)[number]): Reads {
  // Delegates of different models have no type in common; these four calls they do have.
  return client[model] as unknown as Reads;
}

test.each(MODELS)('%s: of two workspaces only the own one is listed, found and counted', async (model) => {
  const everything = await reads(catalog.prisma, model).findMany();
  const own = await reads(scoped, model).findMany();
  const other = await reads(scopeToWorkspace(catalog.prisma, catalog.theirs), model).findMany();
  expect(own.length).toBeGreaterThan(0);
  expect(own.length + other.length).toBe(everything.length);
  expect(JSON.stringify(own, (_, value) => (typeof value === 'bigint' ? `${value}` : value))).not.toContain(
    catalog.theirs,
  );
  expect(await reads(scoped, model).count()).toBe(own.length);
  expect(await reads(scoped, model).aggregate({ _count: true })).toEqual({ _count: own.length });
  expect(own).toContainEqual(await reads(scoped, model).findFirst());
});

test('what belongs to another workspace is not found by its id, whatever else is asked', async () => {
  const id = theirs.backup.id;
  expect(await scoped.backup.findUnique({ where: { id } })).toBeNull();
  expect(await scoped.backup.findUnique({ where: { id, workspaceId: catalog.theirs } })).toBeNull();
  expect(
    await scoped.backup.findFirst({ where: { OR: [{ id }, { workspaceId: catalog.theirs }] } }),
  ).toBeNull();
  expect(await scoped.backup.findMany({ where: { workspaceId: catalog.theirs } })).toEqual([]);
  await expect(scoped.backup.findUniqueOrThrow({ where: { id } })).rejects.toMatchObject({ code: 'P2025' });
  await expect(scoped.backup.findFirstOrThrow({ where: { id } })).rejects.toMatchObject({ code: 'P2025' });
  expect(await scoped.apiKey.findUnique({ where: { hash: catalog.theirs } })).toBeNull();
  expect(await scoped.lock.findUnique({ where: { sourceId: theirs.source.id } })).toBeNull();
  const { record } = theirs;
  const event = { recordId_sequence: { recordId: record.id, sequence: 1 } };
  expect(await scoped.recordEvent.findUnique({ where: event })).toBeNull();
  const setting = { workspaceId_key: { workspaceId: catalog.theirs, key: 'theme' } };
  expect(await scoped.setting.findUnique({ where: setting })).toBeNull();
});

test('what belongs to the own workspace is found by its id, also many at once', async () => {
  expect(await scoped.backup.findUnique({ where: { id: ours.backup.id } })).toMatchObject({
    id: ours.backup.id,
  });
  const ids = [ours.record.id, theirs.record.id, ours.record.id];
  const found = await Promise.all(ids.map((id) => scoped.record.findUnique({ where: { id } })));
  expect(found.map((record) => record?.id)).toEqual([ours.record.id, undefined, ours.record.id]);
  const unique = { where: { workspaceId_name: { workspaceId: catalog.ours, name: 'app' } } };
  expect(await scoped.source.findUnique(unique)).toMatchObject({ id: ours.source.id });
});

/** Rows that point across workspaces, as a fault of ours could make them. */
async function crossReferences(): Promise<() => Promise<void>> {
  const moved = { where: { id: theirs.record.id } };
  const data = {
    sourceId: ours.source.id,
    jobId: ours.job.id,
    backupId: ours.backup.id,
    parentId: ours.record.id,
  };
  await catalog.prisma.record.update({ ...moved, data });
  const { sourceId, jobId, backupId, parentId } = theirs.record;
  return async () => {
    await catalog.prisma.record.update({ ...moved, data: { sourceId, jobId, backupId, parentId } });
  };
}

test('nested lists and counts are narrowed too, even where a row of another workspace points here', async () => {
  const undo = await crossReferences();
  try {
    const id = ours.source.id;
    const plain = await catalog.prisma.source.findUniqueOrThrow({
      where: { id },
      include: { records: true },
    });
    expect(plain.records).toHaveLength(2);
    const source = await scoped.source.findUniqueOrThrow({
      where: { id },
      include: {
        records: true,
        jobs: { include: { records: { where: { kind: 'CREATE' } }, _count: true } },
        backups: { select: { _count: { select: { records: true } }, records: { select: { id: true } } } },
        _count: { select: { records: { where: { kind: 'CREATE' } }, jobs: true } },
      },
    });
    expect(source.records.map((record) => record.id)).toEqual([ours.record.id]);
    expect(source._count).toEqual({ records: 1, jobs: 1 });
    expect(source.jobs[0]?.records).toHaveLength(1);
    expect(source.jobs[0]?._count).toEqual({ backups: 1, records: 1 });
    expect(source.backups).toEqual([{ _count: { records: 1 }, records: [{ id: ours.record.id }] }]);
    const record = await scoped.record.findUniqueOrThrow({
      where: { id: ours.record.id },
      include: { source: { include: { records: true } }, children: true, _count: true },
    });
    expect(record.source?.records).toHaveLength(1);
    expect(record.children).toHaveLength(1);
    expect(record._count).toEqual({ children: 1, events: 1 });
    const groups = await scoped.record.groupBy({ by: ['workspaceId'], _count: true });
    expect(groups).toEqual([{ workspaceId: catalog.ours, _count: 2 }]);
  } finally {
    await undo();
  }
});

test('it writes nothing', async () => {
  const where = { id: ours.source.id };
  const writes = [
    () => scoped.workspace.create({ data: { name: 'x' } }),
    () => scoped.source.update({ where, data: { name: 'x' } }),
    () => scoped.source.updateMany({ where, data: { name: 'x' } }),
    () => scoped.source.delete({ where }),
    () => scoped.source.deleteMany(),
    () =>
      scoped.setting.upsert({
        where: { workspaceId_key: { workspaceId: catalog.ours, key: 'theme' } },
        create: { workspaceId: catalog.ours, key: 'theme', value: 1 },
        update: { value: 1 },
      }),
  ];
  for (const write of writes) await expect(write()).rejects.toThrow('through the engine');
  // The type hides raw SQL; the client itself refuses it as well.
  const raw = scoped as unknown as { $queryRawUnsafe(sql: string): Promise<unknown> };
  await expect(raw.$queryRawUnsafe('SELECT 1')).rejects.toThrow('through the engine');
  expect(await scoped.source.findFirst({ where })).toMatchObject({ name: 'app' });
});
