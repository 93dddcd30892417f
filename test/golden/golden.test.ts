/**
 * The golden bundles of every version of the format that was ever written: they are read for ever. They are never made
 * again; when one of these tests fails, it is the program that is wrong.
 */
import { mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FORMAT_VERSION, OLDEST_FORMAT_VERSION } from '../../src/bundle/manifest.ts';
import { seededSigner } from '../../src/bundle/seal/signer.ts';
import { HoldfastError } from '../../src/errors.ts';
import { never } from '../bundle/sample-bundle.ts';
import { noise, openSealed } from '../bundle/seal/sealed-sample.ts';
import { sha256 } from '../bundle/zip-builder.ts';
import { restoreOf, TestEngine } from '../support/engine.ts';
import { type Application, sqliteApplication } from '../support/engine-application.ts';
import { type Golden, type GoldenUnlock, readGolden, unlocking } from './read-golden.ts';

const versions = (await readdir(import.meta.dirname))
  .filter((name) => name.startsWith('format-'))
  .map((name) => Number(name.slice('format-'.length)));

async function golden(version: number, name: string) {
  const path = join(import.meta.dirname, `format-${version}`, name);
  // Written by make.ts from the same type.
  const told = JSON.parse(await readFile(`${path}.json`, 'utf8')) as Golden & { unlock: GoldenUnlock };
  return { bundle: await readFile(`${path}.zip`), ...told };
}

const bundles: readonly (readonly [number, string])[] = (
  await Promise.all(
    versions.map(async (version) => {
      const names = await readdir(join(import.meta.dirname, `format-${version}`));
      const zips = names.filter((name) => name.endsWith('.zip'));
      return zips.map((name) => [version, name.slice(0, -'.zip'.length)] as const);
    }),
  )
).flat();

test('every version that can be read has golden bundles, of every kind and sealed in every way', async () => {
  for (let version = OLDEST_FORMAT_VERSION; version <= FORMAT_VERSION; version++) {
    expect(versions).toContain(version);
  }
  const manifests = await Promise.all(
    bundles.map(async ([version, name]) => (await golden(version, name)).manifest),
  );
  const kinds = new Set(manifests.map(({ database }) => database?.kind));
  expect([...kinds].sort()).toEqual(['MARIADB', 'POSTGRESQL', 'SQLITE']);
  const modes = new Set(manifests.map(({ encryption }) => encryption.mode));
  expect([...modes].sort()).toEqual(['KEY', 'NONE', 'PASSPHRASE', 'RECIPIENT']);
  const compressions = new Set(manifests.map(({ compression }) => compression));
  expect([...compressions].sort()).toEqual(['DEFLATE_1', 'DEFLATE_6', 'STORE', 'ZSTD']);
});

describe.each(bundles)('the golden bundle of format %i, %s', (version, name) => {
  test('holds what it always held', async () => {
    const { bundle, unlock, ...told } = await golden(version, name);
    expect(await readGolden(bundle, unlocking(unlock))).toEqual(told);
    expect(told.report).toMatchObject({ contentChecked: true });
  });

  test('is signed by the key that signed it, and is locked for who has nothing', async () => {
    const { bundle, manifest } = await golden(version, name);
    const reader = await openSealed(bundle);
    expect(reader.manifest).toEqual(manifest);
    const { publicKey } = seededSigner(Buffer.alloc(32, 7));
    expect(reader.signature).toMatchObject({ state: 'SIGNED', fingerprint: sha256(publicKey) });
    expect(reader.locked).toBe(manifest.encryption.mode !== 'NONE');
    expect(await reader.verifyContent(() => {}, never)).toMatchObject({ contentChecked: !reader.locked });
    if (reader.locked)
      await expect(reader.readSchema(never)).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' });
  });

  test('is refused with one bit of it changed', async () => {
    const { bundle, unlock } = await golden(version, name);
    const at = Math.floor(bundle.length / 3);
    bundle[at] = (bundle[at] ?? 0) ^ 4;
    await expect(readGolden(bundle, unlocking(unlock))).rejects.toBeInstanceOf(HoldfastError);
  });
});

test('what the golden bundles hold is what was put into them', async () => {
  for (const [version, name] of bundles) {
    const { rows, files, entries, manifest } = await golden(version, name);
    expect(rows['author']?.[0]).toBe('{"id":1,"name":"Ada","session":"s1"}');
    expect(rows['book']).toHaveLength(4);
    const paths = entries.flatMap((entry) => ('path' in entry ? [entry.path] : []));
    for (const path of ['[...slug].txt', 'a..b', 'ünï çödé', 'a:b?*"<>|\\', 'raw-\udcff\udcfe', 'empty']) {
      expect(paths).toContain(path);
    }
    expect(files['files/uploads/outside']).toBe('../../elsewhere');
    expect(files['env/.env']).toBe('SECRET=1\n');
    expect(manifest.formatVersion).toBe(version);
  }
  const { files } = await golden(1, 'sqlite-key');
  expect(files['files/uploads/noise']).toBe(sha256(noise(66_000)));
  const text = sha256(Buffer.from('all work and no play '.repeat(10_000)));
  for (const name of ['sqlite-deflate', 'sqlite-zstd']) {
    expect((await golden(1, name)).files['files/uploads/text']).toBe(text);
  }
  expect((await golden(1, 'sqlite-deflate')).rows['every kind']).toEqual([
    '{"k":1,"i":9223372036854775807,"r":0.1,"t":"line\\nbreak, \\"quote\\", ünï 😀","b":{"$blob":"00FF10"},"n":null}',
    '{"k":2,"i":-1,"r":9.0e+999,"t":"","b":{"$blob":""},"n":12.5}',
    '{"k":5,"i":0,"r":0.0,"t":"[x]","b":null,"n":"text"}',
  ]);
});

describe('an engine of today', () => {
  let holdfast: TestEngine;
  let application: Application;
  beforeAll(async () => {
    holdfast = await TestEngine.start();
    application = await sqliteApplication(join(holdfast.root, 'app'));
  });
  afterAll(async () => {
    await holdfast.remove();
  });

  test.each(['sqlite-deflate', 'sqlite-passphrase'])('restores the golden bundle %s', async (name) => {
    const { engine, actor } = holdfast;
    const { id: sourceId } = await engine.createSource(actor, { ...application.definition, name });
    const { bundle, unlock } = await golden(1, name);
    const upload = await engine.receiveUpload(actor, `${name}.zip`, Readable.from([bundle]), never);
    await application.wreck();
    // What has the names of things in the bundle is a stranger's, and elsewhere is outside of the tree.
    const elsewhere = join(holdfast.root, 'elsewhere');
    await mkdir(elsewhere, { recursive: true });
    await symlink(elsewhere, join(holdfast.root, 'app/uploads/outside')).catch(() => undefined);
    const { passphrase } = unlock;
    const record = await holdfast.restore(
      restoreOf('', {
        bundle: { uploadId: upload.id },
        sourceId,
        allowForeignSource: true,
        preRestoreBackup: 'NONE',
        onDrift: 'RESTORE_SCHEMA',
        ...(passphrase !== undefined && { unlock: { passphrase } }),
      }),
    );
    expect(record).toMatchObject({ status: 'SUCCEEDED', error: null });
    // Its name is no UTF-8, so that only its bytes find it.
    const raw = Buffer.concat([Buffer.from(join(holdfast.root, 'app/uploads/raw-')), Buffer.of(0xff, 0xfe)]);
    expect(await readFile(raw, 'utf8')).toBe('no UTF-8');
    await rm(raw);
    const { rows, structure, uploads, config } = await application.content();
    expect(Object.fromEntries(rows)).toMatchObject({
      author: [
        [1, 'Ada', 's1'],
        [2, 'Grace', null],
        [3, 'Barbara', 's3'],
      ],
      book: expect.arrayContaining([[2, 2, 'Compilers']]),
      'every kind': [
        [1, expect.anything(), 0.1, 'line\nbreak, "quote", ünï 😀', Buffer.from('00ff10', 'hex'), null],
        [2, -1, Number.POSITIVE_INFINITY, '', Buffer.alloc(0), 12.5],
        [5, 0, 0, '[x]', null, 'text'],
      ],
    });
    expect(structure.map(([thing]) => thing)).toEqual(
      expect.arrayContaining(['index by_text', 'view titles', 'trigger no_eve']),
    );
    expect(uploads).toEqual(
      expect.arrayContaining([
        ['[...slug].txt', 0o100644, '[...slug].txt'],
        ['outside', 0o120777, '../../elsewhere'],
        ['script.sh', 0o100755, '#!/bin/sh\n'],
        ['nested/b.txt', 0o100644, 'beta'],
      ]),
    );
    expect(config).toEqual([['app.json', 0o100644, '{"port":1}']]);
    expect(await readdir(elsewhere)).toEqual([]);
    await engine.deleteSource(actor, sourceId);
  });
});
