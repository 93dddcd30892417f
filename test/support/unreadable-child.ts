/**
 * A backup, and restores, of a tree with a file that nobody may read; printed as JSON. Root may read everything, so
 * a process of root becomes another user first.
 */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RecordRow } from '../../src/catalog/catalog.ts';
import { restoreOf, TestEngine } from './engine.ts';

/** What became of a record. */
export interface Outcome {
  readonly status: string;
  readonly error: RecordRow['error'];
  readonly warnings: readonly string[];
}

/** What {@link file://./unreadable-child.ts} prints. */
export interface UnreadableReport {
  /** While the file could not be read. */
  readonly backup: Outcome;
  /** Over the file that could not be read, from a bundle that holds it. */
  readonly required: Outcome;
  /** The same with a file whose name is no UTF-8. */
  readonly oddName: Outcome;
  /** What the tree held after that. */
  readonly afterRequired: string;
  readonly bestEffort: Outcome;
  readonly afterBestEffort: string;
}

if (process.getuid?.() === 0) {
  process.setgroups?.([]);
  process.setgid?.(65_534);
  process.setuid?.(65_534);
}
const holdfast = await TestEngine.start();
try {
  const uploads = join(holdfast.root, 'uploads');
  const secret = join(uploads, 'secret.txt');
  const plain = join(uploads, 'plain.txt');
  await mkdir(uploads);
  await writeFile(plain, 'old');
  await writeFile(secret, 'old');
  const { id } = await holdfast.engine.createSource(holdfast.actor, {
    name: 'Files',
    database: null,
    excludedTables: [],
    clearedColumns: [],
    trees: [{ name: 'uploads', path: uploads, include: [], exclude: [] }],
    configTrees: [],
    envFile: null,
  });
  const odd = Buffer.concat([Buffer.from(join(uploads, 'odd')), Buffer.from([0xff])]);
  await writeFile(odd, 'old');
  const { backupId } = await holdfast.backUp(id);
  await chmod(odd, 0o000);
  const oddName = outcome(await holdfast.restore(restoreOf(backupId)));
  await chmod(odd, 0o600);
  await writeFile(plain, 'new');
  await writeFile(secret, 'new');
  await chmod(secret, 0o000);
  const report: UnreadableReport = {
    oddName,
    backup: outcome(await holdfast.backUp(id)),
    required: outcome(await holdfast.restore(restoreOf(backupId))),
    afterRequired: await readFile(plain, 'utf8'),
    bestEffort: outcome(await holdfast.restore(restoreOf(backupId, { preRestoreBackup: 'BEST_EFFORT' }))),
    afterBestEffort: await readFile(plain, 'utf8'),
  };
  console.log(JSON.stringify(report));
} finally {
  await holdfast.remove();
}

function outcome({ status, error, warnings }: RecordRow): Outcome {
  return { status, error, warnings };
}
