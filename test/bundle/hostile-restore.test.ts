import { watch } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { restoreOf, TestEngine } from '../support/engine.ts';
import { type Application, sqliteApplication } from '../support/engine-application.ts';
import { never } from './sample-bundle.ts';
import { forgeSealed } from './seal/forge-sealed.ts';
import { KEY, noise } from './seal/sealed-sample.ts';
import { type ForgedFile, forgeBundle, forgedFile, forgedLink, sha256 } from './zip-builder.ts';

let holdfast: TestEngine;
let application: Application;
let sourceId: string;
/** Where links and `..` of the bundles point: beside the application, inside of the roots. */
let elsewhere: string;

beforeAll(async () => {
  holdfast = await TestEngine.start();
  application = await sqliteApplication(join(holdfast.root, 'app'));
  elsewhere = join(holdfast.root, 'elsewhere');
  await mkdir(elsewhere);
  await writeFile(join(elsewhere, 'passwd'), 'root');
  const [tree] = application.definition.trees;
  const trees = [{ name: 'app', path: tree?.path ?? '', include: [], exclude: [] }];
  // So that what is inside of sealed ones is reached.
  const key = { id: 'key-1', key: KEY, createdAt: new Date() };
  await holdfast.parts.catalog.encryptionKeys.adopt(holdfast.actor.workspaceId, key);
  const definition = { ...application.definition, trees };
  sourceId = (await holdfast.engine.createSource(holdfast.actor, definition)).id;
});

afterAll(async () => {
  await holdfast.remove();
});

const bomb = (): ForgedFile =>
  forgedFile('files/app/bomb', 'bomb', { content: Buffer.alloc(50_000_000), size: 100 }, { size: 100 });
const good = forgedFile('files/app/good', 'good');
const link = (target: string): ForgedFile => forgedLink('files/app/l', 'l', target);

const hostile: readonly (readonly [string, () => Buffer | Promise<Buffer>, ErrorCode])[] = [
  [
    'a name that leaves its tree',
    () => forgeBundle([good, forgedFile('files/app/../../elsewhere/x', 'x')]),
    'UNSAFE_PATH',
  ],
  [
    'a true name that leaves its tree',
    () => forgeBundle([good, forgedFile('files/app/x', '../../elsewhere/x')]),
    'UNSAFE_PATH',
  ],
  ['an absolute true name', () => forgeBundle([good, forgedFile('files/app/x', elsewhere)]), 'UNSAFE_PATH'],
  [
    'a file below a link',
    () => forgeBundle([link('../../elsewhere'), forgedFile('files/app/m', 'l/passwd')]),
    'UNSAFE_PATH',
  ],
  [
    'a link with two targets',
    () => forgeBundle([good, { ...link('a'), zip: { ...link('../../elsewhere').zip, size: 1 } }]),
    'INVALID_CHECKSUM',
  ],
  ['a decompression bomb', () => forgeBundle([good, bomb()]), 'INVALID_CHECKSUM'],
  [
    'an entry of another hash, after good ones',
    () => forgeBundle([good, forgedFile('files/app/x', 'x', {}, { sha256: sha256(noise(1)) })]),
    'INVALID_CHECKSUM',
  ],
  ['nothing behind its first half', () => forgeBundle([good]).subarray(0, 300), 'INVALID_MANIFEST'],
  [
    'a newer format',
    () => forgeBundle([good], { manifest: (m) => ({ ...m, formatVersion: 2 }) }),
    'FORMAT_TOO_NEW',
  ],
  [
    'a manifest of millions of wrong elements',
    () =>
      forgeBundle([], {
        manifestBytes: Buffer.from(`{"formatVersion":1,"warnings":[${'1,'.repeat(5e6)}1]}`),
      }),
    'INVALID_MANIFEST',
  ],
  [
    'a tree that is told twice',
    () => forgeBundle([good], { manifest: (m) => ({ ...m, trees: [...m.trees, ...m.trees] }) }),
    'INVALID_MANIFEST',
  ],
  [
    'a sealed name that leaves its tree',
    () => forgeSealed([forgedFile('files/app/x', '../../elsewhere/x')]),
    'UNSAFE_PATH',
  ],
  ['a sealed bomb', () => forgeSealed([good, bomb()]), 'INVALID_CHECKSUM'],
];

test.each(hostile)(
  'a bundle with %s is restored from by nobody, and touches nothing',
  async (_name, make, code) => {
    const { engine, actor, parts } = holdfast;
    const bundle = {
      uploadId: (await engine.receiveUpload(actor, 'x.zip', Readable.from([await make()]), never)).id,
    };
    const content = await application.content();
    const seen = new Set<string>();
    const watcher = watch(holdfast.root, { recursive: true }, (_event, name) => {
      // SQLite's own files beside the database come and go with whoever looks at it.
      if (name !== null && !/app\.sqlite(-wal|-shm)?$/.test(name)) seen.add(name);
    });
    try {
      const record = await holdfast.restore(
        restoreOf('', {
          bundle,
          sourceId,
          allowForeignSource: true,
          trustUnknownSigner: true,
          preRestoreBackup: 'NONE',
        }),
      );
      expect(record).toMatchObject({
        status: 'FAILED',
        error: { code },
        result: { targetState: 'WHOLLY_OLD' },
      });
      const imported = await holdfast.finished(await engine.importBackup(actor, bundle.uploadId, sourceId));
      expect(imported).toMatchObject({ status: 'FAILED', error: { code }, backupId: null });
    } finally {
      watcher.close();
    }
    expect([...seen].filter((name) => !isScratch(name))).toEqual([]);
    expect(await application.content()).toEqual(content);
    expect(await readdir(elsewhere)).toEqual(['passwd']);
    expect(await application.leftovers()).toEqual([]);
    expect(await readdir(parts.directories.temporary)).toEqual([]);
  },
);

/** What a restore makes beside a tree, to put it in its place when all of it is there. */
function isScratch(name: string): boolean {
  return relative('app', name).split('/')[0]?.includes('holdfast') === true;
}
