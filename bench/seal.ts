/**
 * What sealing adds to writing a bundle: the same rows and files into a bundle that is not sealed, one sealed with a
 * key and one in the age format, in turns. No database takes part, so in a whole backup the share is smaller.
 */
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { bundleFormat } from '../src/bundle/bundle-format.ts';
import type { ManifestDraft } from '../src/bundle/manifest.ts';
import { seededSigner } from '../src/bundle/seal/signer.ts';
import type { Sealing } from '../src/bundle/sealing.ts';
import { median, verdict } from './support/compare.ts';
import type { BenchOptions } from './support/options.ts';
import { machine, type Outcome, watchLoad } from './support/report.ts';
import { withScratch } from './support/scratch.ts';
import type { Figures } from './support/work.ts';

const DEFAULT_MEGABYTES = 400;
const DEFAULT_ROUNDS = 5;
/** How much longer a sealed bundle may take. */
const MOST = 1.1;
/** Rows are made once and given again: farther apart than deflate looks back. */
const SAMPLE_BYTES = 8 * 2 ** 20;
const CHUNK_ROWS = 100;
/** One part of the content is files that do not compress, such as photos, seven are rows. */
const FILES_SHARE = 1 / 8;

const never = new AbortController().signal;

/** A way of sealing, by the name of its row. */
type Ways = ReadonlyMap<string, Sealing>;

/** Writes bundles in turns. Always holds: sealing has a goal, no bound. */
export async function benchSeal(options: BenchOptions): Promise<Outcome> {
  const load = watchLoad();
  const megabytes = options.megabytes ?? DEFAULT_MEGABYTES;
  const rounds = options.rounds ?? DEFAULT_ROUNDS;
  const ways: Ways = new Map([
    ['bundle, not sealed', { mode: 'NONE' }],
    ['bundle, sealed by KEY', { mode: 'KEY', keyId: 'key', key: Buffer.alloc(32, 1) }],
    [
      'bundle, sealed by RECIPIENT (age)',
      { mode: 'RECIPIENT', recipients: [await identityToRecipient(await generateIdentity())] },
    ],
  ]);
  const measured = await withScratch(({ directory }) => inTurns(directory, ways, megabytes, rounds));
  const of = (name: string, pick: (figures: Figures) => number): number =>
    median((measured.get(name) ?? []).map(pick));
  const [plain = ''] = ways.keys();
  const rows = [...ways.keys()].map((name) => {
    const seconds = of(name, (figures) => figures.seconds);
    const cpuSeconds = of(name, (figures) => figures.cpuSeconds);
    const ratio = seconds / of(plain, (figures) => figures.seconds);
    const cpuRatio = cpuSeconds / of(plain, (figures) => figures.cpuSeconds);
    return { name, seconds, cpuSeconds, ratio, cpuRatio, ...(name !== plain && { met: ratio <= MOST }) };
  });
  const table = {
    head: ['work', 'seconds', 'ratio', 'CPU s', 'ratio', 'goal', ''],
    rows: rows.map(({ name, seconds, ratio, cpuSeconds, cpuRatio, met }) => [
      name,
      ...[seconds, ratio, cpuSeconds, cpuRatio].map((value) => value.toFixed(2)),
      met === undefined ? '' : MOST.toFixed(2),
      verdict(met),
    ]),
  };
  const section = {
    id: 'seal',
    title: `sealing, ${megabytes} MB`,
    facts: [`${machine()}.`, `Rounds: ${rounds}.`, load()],
    tables: [table],
    data: { megabytes, rounds, works: rows },
  };
  return { sections: [section], holds: true };
}

async function inTurns(
  directory: string,
  ways: Ways,
  megabytes: number,
  rounds: number,
): Promise<Map<string, Figures[]>> {
  const rows = sampleRows();
  const measured = new Map<string, Figures[]>();
  // The round before the first is not counted: it warms up.
  for (let round = -1; round < rounds; round++) {
    const turn = [...ways];
    for (const [name, sealing] of round % 2 === 0 ? turn : turn.reverse()) {
      const figures = await writeOnce(directory, sealing, rows, megabytes * 2 ** 20);
      console.error(`seal, round ${round + 1}: ${name} ${figures.seconds.toFixed(2)} s`);
      if (round >= 0) measured.set(name, [...(measured.get(name) ?? []), figures]);
    }
  }
  return measured;
}

/** Chunks of rows like those of the databases: text that is half random, numbers, times. */
function sampleRows(): Buffer[] {
  const chunks: Buffer[] = [];
  for (let bytes = 0, id = 0; bytes < SAMPLE_BYTES; ) {
    let lines = '';
    for (let row = 0; row < CHUNK_ROWS; row++, id++) {
      const words = createHash('sha256').update(String(id)).digest('hex').match(/.{8}/g) ?? [];
      const title = `Document ${id}`;
      const at = new Date(1.7e12 + id * 1000).toISOString();
      lines += `${JSON.stringify({ id, title, body: words.map((word) => `word ${word}`).join('\n'), price: id * 0.25, at })}\n`;
    }
    chunks.push(Buffer.from(lines));
    bytes += lines.length;
  }
  return chunks;
}

function* repeated(chunks: readonly Buffer[], bytes: number): Generator<Buffer> {
  for (let given = 0; given < bytes; ) {
    for (const chunk of chunks) {
      if (given >= bytes) return;
      given += chunk.length;
      yield chunk;
    }
  }
}

async function writeOnce(
  directory: string,
  sealing: Sealing,
  rows: readonly Buffer[],
  bytes: number,
): Promise<Figures> {
  const path = join(directory, 'bundle.zip');
  const noise = Array.from({ length: 64 }, (_, index) =>
    Buffer.concat(
      Array.from({ length: 2048 }, (_, part) => createHash('sha256').update(`${index} ${part}`).digest()),
    ),
  );
  const started = performance.now();
  const cpu = process.cpuUsage();
  const writer = bundleFormat.createWriter({
    sink: createWriteStream(path, { highWaterMark: 2 ** 20 }),
    spoolDirectory: directory,
    sealing,
    signer: seededSigner(Buffer.alloc(32, 1)),
  });
  const described = { schema: null, name: 'documents', columns: [], primaryKey: [], foreignKeys: [] };
  const fileBytes = bytes * FILES_SHARE;
  const table = await writer.addTable(
    described,
    Readable.from(repeated(rows, bytes - fileBytes)),
    () => {},
    never,
  );
  const photo = {
    area: 'files',
    tree: 'app',
    path: 'photo',
    mode: 0o644,
    mtimeNs: '0',
    kind: 'FILE',
  } as const;
  await writer.addFile(photo, Readable.from(repeated(noise, fileBytes)), () => {}, never);
  await writer.finish(draft(table), never);
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await rm(path);
  return { seconds, cpuSeconds: (user + system) / 1e6 };
}

function draft(table: NonNullable<ManifestDraft['database']>['tables'][number]): ManifestDraft {
  const at = new Date().toISOString();
  return {
    createdAt: at,
    createdBy: 'bench',
    trigger: 'MANUAL',
    host: { name: 'bench', platform: process.platform },
    source: { id: 'bench', name: 'bench' },
    database: {
      kind: 'SQLITE',
      serverVersion: '3',
      name: 'bench',
      snapshotAt: at,
      schemaFingerprint: '0'.repeat(64),
      appliedMigrations: [],
      tables: [table],
      sequences: [],
      schema: null,
    },
    trees: [{ area: 'files', name: 'app', include: [], exclude: [], fileCount: 1, bytes: 0 }],
    envFile: false,
    filesReadAt: null,
    leftOut: [],
    warnings: [],
  };
}
