/** What happens between the first backup and the proof, each step through the typed client alone. */
import { type HoldfastClient, type RestorePlanQuery, unwrap } from '../sdk/index.ts';
import { type Application, damage, measure } from './application.ts';
import { differences, type Fingerprint } from './fingerprint.ts';
import { followToEnd } from './follow-to-end.ts';
import { bad, count, good, line, size, step, styled, table } from './terminal.ts';

/** What every step works with. */
interface Scene {
  readonly client: HoldfastClient;
  readonly application: Application;
  /** Aborted when the demo has to end. */
  readonly signal: AbortSignal;
}

type Plan = Extract<RestorePlanQuery['restorePlan'], { __typename: 'RestorePlan' }>;

const NUMBERS = { align: 'right' } as const;

async function registerSource({ client, application, signal }: Scene): Promise<string> {
  step('What is to be protected', 'Holdfast looks at the application and says what a backup would hold.');
  const { source } = unwrap(
    await client.createSource(
      {
        name: 'Agent platform',
        database: { sqlite: { path: application.database } },
        trees: [{ name: 'workspace', path: application.files }],
      },
      { signal },
    ),
  );
  const { report } = unwrap(await client.testSource({ sourceId: source.id }, { signal }));
  table(
    [{ title: 'table, parents first' }, { title: 'rows, about', ...NUMBERS }, { title: 'refers to' }],
    (report.database?.tables ?? []).map(({ name, rowEstimate, foreignKeys }) => [
      name,
      count(rowEstimate),
      [...new Set(foreignKeys.map(({ references }) => references.name))].join(', '),
    ]),
  );
  const cyclic = new Set(report.database?.cyclicForeignKeys.map((key) => key.table.name));
  if (cyclic.size > 0) {
    line(
      styled(
        'dim',
        `${[...cyclic].join(', ')} have keys in cycles: a restore sets those aside while it loads.`,
      ),
    );
  }
  for (const { name, files, bytes } of report.trees) good(`${name}: ${count(files)} files, ${size(bytes)}`);
  for (const { name, reason } of report.leftOut) line(`left out: ${name} (${reason})`);
  for (const warning of report.warnings) line(styled('yellow', warning));
  return source.id;
}

async function backUp({ client, signal }: Scene, sourceId: string): Promise<string> {
  step(
    'Backup',
    'One consistent view of the database, then the files, into one bundle. Live, over a WebSocket.',
  );
  const started = unwrap(await client.createBackup({ sourceId }, { signal }));
  const { backup, warnings } = await followToEnd(client, started.record.id, signal);
  if (backup === null) throw new Error('The record has no backup.');
  for (const warning of warnings) line(styled('yellow', warning));
  good(`${backup.name}, ${size(backup.sizeBytes)}`);
  line(styled('dim', `SHA-256 ${backup.checksum}`));
  return backup.id;
}

async function verify({ client, signal }: Scene, backupId: string): Promise<void> {
  step(
    'Verification',
    'The stored bundle is read again: its checksum, then every entry, size and row count.',
  );
  const started = unwrap(await client.verifyBackup({ backupId }, { signal }));
  const { result } = await followToEnd(client, started.record.id, signal);
  if (result?.__typename !== 'VerifyResult') throw new Error('The verification has no result.');
  if (result.verdict !== 'PASSED') throw new Error(`The backup is not sound: ${result.message}`);
  good(`${count(result.entriesChecked)} entries and ${count(result.rowsChecked)} rows are as recorded`);
}

async function ruin({ application }: Scene, before: Fingerprint): Promise<void> {
  step('Disaster', 'A bad deployment goes through the application’s own data.');
  for (const what of await damage(application)) bad(what);
  const { tables, paths } = differences(before, await measure(application));
  line(
    `${tables.length} of ${before.tables.size} tables and ${paths.length} paths are no longer what they were.`,
  );
}

function showPlan(plan: Plan): void {
  table(
    [
      { title: 'table, in restore order' },
      { title: 'rows now', ...NUMBERS },
      { title: 'in the bundle', ...NUMBERS },
      { title: 'change', ...NUMBERS },
    ],
    plan.tables.map(({ name, rowsNow, rowsInBundle, drift }) => {
      const change = BigInt(rowsInBundle) - BigInt(rowsNow ?? 0);
      return [
        name,
        rowsNow === null ? 'missing' : count(rowsNow),
        count(rowsInBundle),
        `${change > 0n ? '+' : ''}${count(change.toString())}`,
        ...drift,
      ];
    }),
  );
  line(styled('dim', 'Overwritten rows do not show in counts; a restore replaces every row.'));
  for (const { name, added, changed, removed, unchanged, examples } of plan.trees) {
    line(
      `files in ${name}: ${added} to bring back, ${changed} to replace, ${removed} to remove, ${unchanged} alike`,
    );
    for (const { change, path } of examples.slice(0, 5))
      line(styled('dim', `${change.toLowerCase()}: ${path}`));
  }
  for (const warning of plan.warnings) line(styled('yellow', warning));
  for (const refusal of plan.refusals) bad(refusal);
  line(styled('dim', `plan ${plan.hash}`));
}

async function planRestore({ client, signal }: Scene, backupId: string): Promise<Plan> {
  step('Restore plan', 'What a restore would do. Nothing is changed to find out.');
  const plan = unwrap(await client.restorePlan({ bundle: { backupId } }, { signal }));
  showPlan(plan);
  return plan;
}

async function restore({ client, signal }: Scene, backupId: string, planHash: string): Promise<void> {
  step('Restore', 'Exactly this plan, all of it or nothing; what is there now is backed up first.');
  const started = unwrap(await client.restoreBackup({ bundle: { backupId }, planHash }, { signal }));
  const { result, warnings } = await followToEnd(client, started.record.id, signal);
  if (result?.__typename !== 'RestoreResult') throw new Error('The restore has no result.');
  for (const warning of warnings) line(styled('yellow', warning));
  good(`${count(result.rowsRestored)} rows and ${count(result.filesRestored)} files restored`);
  if (result.preRestoreBackup !== null) {
    line(styled('dim', `The damaged state is kept too: ${result.preRestoreBackup.name}`));
  }
}

async function prove({ application }: Scene, before: Fingerprint): Promise<boolean> {
  step('Proof', 'The demo measures the application itself again, without Holdfast, and compares.');
  const after = await measure(application);
  const { tables, paths } = differences(before, after);
  table(
    [{ title: 'table' }, { title: 'rows', ...NUMBERS }, { title: 'SHA-256 over every row' }, { title: '' }],
    [...after.tables].map(([name, { rows, digest }]) => [
      name,
      count(rows),
      `${digest.slice(0, 32)}…`,
      tables.includes(name) ? styled('red', '✗ differs') : styled('green', '✓ same'),
    ]),
  );
  for (const name of tables.filter((table) => !after.tables.has(table))) bad(`table ${name} is missing`);
  for (const path of paths.slice(0, 10)) {
    bad(`${path}: was ${before.paths.get(path) ?? 'not there'}, is ${after.paths.get(path) ?? 'not there'}`);
  }
  if (paths.length === 0)
    good(`${count(after.paths.size)} paths: content, mode, time and links are the same`);
  return tables.length === 0 && paths.length === 0;
}

/** Goes through the whole story. Resolves to whether everything is again what it was. */
export async function tellStory(scene: Scene): Promise<boolean> {
  const before = await measure(scene.application);
  const sourceId = await registerSource(scene);
  const backupId = await backUp(scene, sourceId);
  await verify(scene, backupId);
  await ruin(scene, before);
  const plan = await planRestore(scene, backupId);
  await restore(scene, backupId, plan.hash);
  return prove(scene, before);
}
