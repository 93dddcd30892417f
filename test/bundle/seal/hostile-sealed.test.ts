import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bundleFormat } from '../../../src/bundle/bundle-format.ts';
import type { Unlocking } from '../../../src/bundle/sealing.ts';
import { type ErrorCode, HoldfastError } from '../../../src/errors.ts';
import { asFile, never } from '../sample-bundle.ts';
import { type ForgedFile, forgedFile, forgedLink, type RawEntry } from '../zip-builder.ts';
import {
  byKey,
  byPassphrase,
  byRecipient,
  forgeSealed,
  keyChunks,
  keyHeader,
  type SealedForgery,
} from './forge-sealed.ts';

const honest: readonly ForgedFile[] = [forgedFile('files/app/a', 'a'), forgedFile('files/app/b', 'b')];
const MIB = 1024 * 1024;

/** Opens and reads everything; the error it fails with, and how often the file was closed. */
async function outcome(bundle: Buffer, unlock?: Unlocking) {
  const source = asFile(bundle);
  try {
    const reader = await bundleFormat.openReader(source, never, { unlock });
    const report = await reader.verifyContent(() => {}, never);
    await reader.close();
    return { report, error: undefined, opened: true };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { report: undefined, error, opened: source.closed() === 0 };
  }
}

async function expectRefused(
  bundle: Buffer,
  unlock: Unlocking | undefined,
  code: ErrorCode,
  words: RegExp,
): Promise<void> {
  const { error } = await outcome(bundle, unlock);
  expect(error).toMatchObject({ code, message: expect.stringMatching(words) });
  expect(error?.hint).toBeDefined();
}

/** Refused by opening alone, and its file closed. */
async function expectNotOpened(
  bundle: Buffer,
  unlock: Unlocking | undefined,
  code: ErrorCode,
  words: RegExp,
): Promise<void> {
  await expectRefused(bundle, unlock, code, words);
  expect((await outcome(bundle, unlock)).opened).toBe(false);
}

function first(entries: readonly RawEntry[]): RawEntry {
  const [entry] = entries;
  if (entry === undefined) throw new Error('no entry');
  return entry;
}

describe.each([byKey, byRecipient])('inside a payload of mode $mode that is sealed and signed', (sealing) => {
  const forge = (files: readonly ForgedFile[], forgery: SealedForgery = {}) =>
    forgeSealed(files, { ...forgery, sealing });

  test('what is legal passes', async () => {
    const legal = ['[...slug]', 'a..b', '..foo', 'C:\\x', 'new\nline', '...', 'x'.repeat(4096)];
    const files = legal.map((path, i) => forgedFile(`files/app/${i}`, path));
    files.push(forgedLink('files/app/link', 'link', '../../../etc/passwd'));
    expect(await outcome(await forge(files), sealing.unlock)).toMatchObject({
      report: { contentChecked: true, files: legal.length + 1 },
    });
    expect(await outcome(await forge(files))).toMatchObject({ report: { contentChecked: false } });
  });

  const names: readonly (readonly [string, readonly ForgedFile[], RegExp])[] = [
    ['traversal', [forgedFile('files/app/../../../etc/passwd', 'a')], /leaves its directory/],
    ['an absolute name', [forgedFile('/etc/passwd', 'a')], /absolute/],
    ['a drive', [forgedFile('C:/windows/a', 'a')], /absolute/],
    ['a NUL', [forgedFile('files/app/a\0.txt', 'a')], /characters/],
    ['a control character', [forgedFile('files/app/a\x1b[2J', 'a')], /characters/],
    ['a backslash', [forgedFile('files\\..\\a', 'a')], /characters/],
    ['a true name that leaves', [forgedFile('files/app/a', '../a')], /leaves its tree/],
    ['an absolute true name', [forgedFile('files/app/a', '/etc/passwd')], /absolute/],
    ['a true name with a NUL', [forgedFile('files/app/a', 'a\0')], /NUL/],
    [
      'a file below a link',
      [forgedLink('files/app/l', 'l', '/etc'), forgedFile('files/app/m', 'l/passwd')],
      /below a link/,
    ],
    ['names that differ in case', [forgedFile('files/app/a', 'a'), forgedFile('files/app/A', 'A')], /case/],
    ['one name twice', [forgedFile('files/app/a', 'a'), forgedFile('files/app/a', 'b')], /case/],
    // Nobody can have two entries of the cover's names: they would be taken for one another when unpacked.
    ['the name of the manifest', [forgedFile('Manifest.JSON', 'a')], /case|Manifest/],
  ];
  test.each(names)('%s is refused', async (_name, files, words) => {
    const { error } = await outcome(await forge(files), sealing.unlock);
    expect(['UNSAFE_PATH', 'INVALID_MANIFEST']).toContain(error?.code);
    expect(error?.message).toMatch(words);
    if (!files.some(({ record }) => record.entry === 'Manifest.JSON'))
      expect(error?.code).toBe('UNSAFE_PATH');
  });

  const lies: readonly (readonly [string, SealedForgery, ErrorCode, RegExp])[] = [
    [
      'an entry that is not listed',
      { list: ([salt = '', , b = '']) => [salt, b] },
      'INVALID_MANIFEST',
      /files\/app\/a/,
    ],
    ['a listed entry that is missing', { zip: ([, ...rest]) => rest }, 'INVALID_MANIFEST', /files\/app\/a/],
    [
      'an entry behind the list',
      { zip: (entries) => [...entries, { name: 'files/app/z', content: Buffer.from('z') }] },
      'INVALID_MANIFEST',
      /files\/app\/z/,
    ],
    [
      'a manifest of its own',
      { zip: (entries) => [...entries, { name: 'manifest.json', content: Buffer.from('{}') }] },
      'INVALID_MANIFEST',
      /manifest\.json/,
    ],
    ['no list', { zip: (entries) => entries.slice(0, -1) }, 'INVALID_MANIFEST', /entries\.ndjson/],
    ['a list without its salt', { list: ([, ...rest]) => rest }, 'INVALID_MANIFEST', /line 1/],
    [
      'a list with two salts',
      { list: ([salt = '', ...rest]) => [salt, salt, ...rest] },
      'INVALID_MANIFEST',
      /line 2/,
    ],
    ['an empty list', { list: () => [] }, 'INVALID_MANIFEST', /lacks its first line/],
    [
      'a salt that is none',
      { list: ([, ...rest]) => ['{"kind":"SALT"}', ...rest] },
      'INVALID_MANIFEST',
      /line 1/,
    ],
    [
      'a list nested too deep',
      { list: (lines) => [...lines, `${'['.repeat(60_000)}${']'.repeat(60_000)}`] },
      'INVALID_MANIFEST',
      /line 4/,
    ],
    [
      'a list with a line too long',
      { list: (lines) => [...lines, 'x'.repeat(200_000)] },
      'INVALID_MANIFEST',
      /too long/,
    ],
    ['a list of another hash', { listSha256: '0'.repeat(64) }, 'INVALID_CHECKSUM', /entries\.ndjson/],
    [
      'entries over the same bytes',
      { zip: ([a, b, ...rest]) => [first([a ?? fail()]), { ...(b ?? fail()), offset: 0 }, ...rest] },
      'INVALID_MANIFEST',
      /overlap|begin/,
    ],
    ['something before its first entry', { end: { prefix: Buffer.from('x') } }, 'INVALID_MANIFEST', /begin/],
    ['a comment', { end: { comment: 'PK' } }, 'INVALID_MANIFEST', /end is missing/],
    ['a million entries that are not there', { end: { entries: 65_535 } }, 'INVALID_MANIFEST', /director/],
    ['no zip', { inner: () => Buffer.from('hello') }, 'INVALID_MANIFEST', /no zip/],
    ['a zip cut short', { inner: (zip) => zip.subarray(0, -1) }, 'INVALID_MANIFEST', /no zip/],
    ['zeros', { inner: () => Buffer.alloc(200_000) }, 'INVALID_MANIFEST', /no zip/],
  ];
  test.each(lies)('%s is refused before anything is given out', async (_name, forgery, code, words) => {
    await expectNotOpened(await forge(honest, forgery), sealing.unlock, code, words);
  });

  test.each<[string, ForgedFile]>([
    ['another hash', forgedFile('files/app/a', 'a', {}, { sha256: '0'.repeat(64) })],
    ['another CRC', forgedFile('files/app/a', 'a', { crc: 1 })],
    ['another size', forgedFile('files/app/a', 'a', { size: 8 }, { size: 8 })],
    ['another name in the local header', forgedFile('files/app/a', 'a', { localName: 'files/app/b' })],
    ['an extra field in the local header', forgedFile('files/app/a', 'a', { localExtra: Buffer.alloc(8) })],
    ['bytes behind its data', forgedFile('files/app/a', 'a', { trailing: Buffer.from('hidden') })],
    [
      'a decompression bomb',
      forgedFile('files/app/a', 'a', { content: Buffer.alloc(50 * MIB), size: 100 }, { size: 100 }),
    ],
  ])('an entry with %s is named', async (_name, forged) => {
    await expectRefused(await forge([forged]), sealing.unlock, 'INVALID_CHECKSUM', /files\/app\/a/);
  });

  test('a bomb within the limits of a bundle is stopped by the limits of who reads it', async () => {
    const bundle = await forge([forgedFile('files/app/a', 'a', { content: Buffer.alloc(5 * MIB) })]);
    const limits = { entryBytes: MIB };
    const opening = bundleFormat.openReader(asFile(bundle), never, { limits, unlock: sealing.unlock });
    await expect(opening).rejects.toMatchObject({ code: 'INVALID_MANIFEST' });
  });
});

describe('the cover of a sealed bundle', () => {
  const payloadIs = (change: Partial<RawEntry>): SealedForgery => ({
    cover: ([payload, ...rest]) => [{ ...(payload ?? fail()), ...change }, ...rest],
  });
  const cases: readonly (readonly [string, SealedForgery, ErrorCode, RegExp])[] = [
    ['with its payload compressed', payloadIs({ stored: false }), 'INVALID_CHECKSUM', /payload\.zip\.aesgcm/],
    [
      'with a second payload',
      { cover: (entries) => [first(entries), ...entries] },
      'INVALID_MANIFEST',
      /does not hold just/,
    ],
    [
      'with the payload of another mode',
      payloadIs({ name: 'payload.zip.age' }),
      'INVALID_MANIFEST',
      /does not hold just payload\.zip\.aesgcm/,
    ],
    [
      'with a file beside the payload',
      {
        cover: (entries) => [
          ...entries.slice(0, 1),
          { name: 'files/a', content: Buffer.from('a') },
          ...entries.slice(1),
        ],
      },
      'INVALID_MANIFEST',
      /does not hold just/,
    ],
    ['without its guide', { cover: ([a, , c]) => [a ?? fail(), c ?? fail()] }, 'INVALID_MANIFEST', /just/],
    ['with a payload that is a link', payloadIs({ mode: 0o120777 }), 'INVALID_MANIFEST', /no regular file/],
    [
      'with something in the local header of its payload',
      payloadIs({ localExtra: Buffer.alloc(4) }),
      'INVALID_CHECKSUM',
      /payload\.zip\.aesgcm/,
    ],
    [
      'with a manifest that says another size',
      {
        manifest: (m) => ({
          ...m,
          encryption: {
            ...m.encryption,
            payload: { entry: 'payload.zip.aesgcm', bytes: 1000, sha256: '0'.repeat(64) },
          },
        }),
      },
      'INVALID_CHECKSUM',
      /payload\.zip\.aesgcm/,
    ],
    [
      'with a manifest of mode NONE',
      { manifest: (m) => ({ ...m, encryption: { mode: 'NONE' } }) },
      'INVALID_MANIFEST',
      /entries\.ndjson/,
    ],
    [
      'with a manifest of another mode',
      {
        manifest: (m) => ({
          ...m,
          encryption: {
            ...byRecipient.encryption,
            payload: 'payload' in m.encryption ? m.encryption.payload : null,
          },
        }),
      },
      'INVALID_CHECKSUM',
      /payload\.zip\.aesgcm/,
    ],
    [
      'with a manifest that was changed after it was signed',
      { afterSigning: (m) => ({ ...m, warnings: ['x'] }) },
      'INVALID_SIGNATURE',
      /not what was signed/,
    ],
    [
      'with bytes between payload and guide',
      payloadIs({ trailing: Buffer.from('x') }),
      'INVALID_CHECKSUM',
      /payload\.zip\.aesgcm/,
    ],
    [
      'with something before its payload',
      { coverEnd: { prefix: Buffer.from('x') } },
      'INVALID_MANIFEST',
      /begin/,
    ],
  ];
  test.each(cases)('%s is refused, with a key and without', async (_name, forgery, code, words) => {
    const bundle = await forgeSealed(honest, forgery);
    await expectNotOpened(bundle, byKey.unlock, code, words);
    await expectNotOpened(bundle, undefined, code, words);
  });

  test('with thousands of entries is refused', async () => {
    const many = Array.from({ length: 5_000 }, (_, n) => ({
      name: `x${n}`,
      content: Buffer.alloc(0),
      stored: true,
    }));
    const bundle = await forgeSealed(honest, { cover: (entries) => [...entries, ...many] });
    await expectNotOpened(bundle, undefined, 'INVALID_MANIFEST', /does not hold just/);
  });
});

describe('the header of a KEY payload that lies', () => {
  const header = keyHeader();
  const end = header.length;
  const patched = (at: number, value: number): SealedForgery => ({
    payload: (payload) => {
      const changed = Buffer.from(payload);
      changed[at] = value;
      return changed;
    },
  });
  const remade = (other: Buffer): SealedForgery => ({
    payload: (payload) => Buffer.concat([other, payload.subarray(end)]),
  });
  test.each<[string, SealedForgery]>([
    ['about what it is', patched(0, 0x50)],
    ['about its version', patched(8, 2)],
    ['about its cipher', patched(9, 2)],
    ['about the length of its key’s id', patched(11, 200)],
    ['about the length of its key’s id, far beyond', patched(10, 0xff)],
    ['about the key', remade(keyHeader('key-2'))],
    ['about the key, with an empty id', remade(keyHeader(''))],
  ])('%s is refused, with a key and without', async (_name, forgery) => {
    const bundle = await forgeSealed(honest, forgery);
    await expectNotOpened(bundle, byKey.unlock, 'INVALID_CHECKSUM', /payload\.zip\.aesgcm/);
    await expectNotOpened(bundle, undefined, 'INVALID_CHECKSUM', /payload\.zip\.aesgcm/);
  });

  test('with an id that is longer than any', async () => {
    const keyId = 'é'.repeat(200);
    const bundle = await forgeSealed(honest, {
      payload: (payload) => Buffer.concat([keyHeader(keyId), payload.subarray(end)]),
      manifest: (m) => ({ ...m, encryption: { ...m.encryption, keyId } }),
    });
    await expectNotOpened(bundle, undefined, 'INVALID_CHECKSUM', /payload\.zip\.aesgcm/);
  });

  test.each<[string, (chunks: Buffer[]) => Buffer[]]>([
    ['fewer chunks', (chunks) => chunks.slice(0, -1)],
    ['one chunk twice', ([one, ...rest]) => [one ?? fail(), one ?? fail(), ...rest]],
    ['an empty chunk at its end', (chunks) => [...chunks, Buffer.alloc(16)]],
    ['no chunk', () => []],
    ['less than a tag', () => [Buffer.alloc(15)]],
    ['a chunk of nothing', () => [Buffer.alloc(16)]],
  ])('with %s behind it is refused', async (_name, change) => {
    const salted = keyHeader('key-1', Buffer.alloc(32, 3));
    const bundle = await forgeSealed(
      [forgedFile('files/app/a', 'a', { content: randomBytes(150_000), stored: true })],
      {
        sealing: {
          ...byKey,
          seal: async (plain) => Buffer.concat([salted, ...change(keyChunks(plain, salted))]),
        },
      },
    );
    await expectNotOpened(bundle, byKey.unlock, 'INVALID_CHECKSUM', /payload\.zip\.aesgcm/);
  });
});

describe('the header of an age payload that lies', () => {
  const text = (bytes: number) => randomBytes(bytes).toString('base64').replace(/=+$/, '');
  const age = (stanzas: readonly string[]): Buffer =>
    Buffer.concat([
      Buffer.from(`age-encryption.org/v1\n${stanzas.join('')}--- ${text(32)}\n`),
      randomBytes(16 + 100),
    ]);
  const scrypt = (logN: number | string, salt = text(16)) => `-> scrypt ${salt} ${logN}\n${text(32)}\n`;
  const x25519 = () => `-> X25519 ${text(32)}\n${text(32)}\n`;
  const sealed = (payload: Buffer, sealing = byPassphrase) =>
    forgeSealed(honest, { sealing: { ...sealing, seal: async () => payload } });

  test.each<[string, readonly string[]]>([
    ['a work factor of 60', [scrypt(60)]],
    ['a work factor of 21', [scrypt(21)]],
    ['a work factor of 0', [scrypt(0)]],
    ['a work factor that is negative', [scrypt(-5)]],
    ['a work factor with many digits', [scrypt('1'.repeat(5_000))]],
    ['a work factor that is no number', [scrypt('1e1')]],
    ['a salt that is too long', [scrypt(10, text(5000))]],
    ['two scrypt stanzas', [scrypt(10), scrypt(10)]],
    ['a scrypt stanza beside others', [scrypt(10), x25519()]],
    ['a thousand scrypt stanzas', Array.from({ length: 1000 }, () => scrypt(20))],
    ['a recipient instead', [x25519()]],
    ['no stanza', []],
  ])('with %s is refused without doing what it asks for', async (_name, stanzas) => {
    const bundle = await sealed(age(stanzas));
    const before = process.memoryUsage().rss;
    await expectNotOpened(bundle, byPassphrase.unlock, 'DECRYPTION_FAILED', /bundle/);
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * MIB);
    // What it holds cannot be told without the passphrase; that it is whole can.
    expect(await outcome(bundle)).toMatchObject({ report: { contentChecked: false } });
  });

  test('with a thousand stanzas is refused', async () => {
    const payload = age(Array.from({ length: 1000 }, x25519));
    expect(payload.length).toBeLessThan(128 * 1024);
    const bundle = await sealed(payload, byRecipient);
    await expectNotOpened(bundle, byRecipient.unlock, 'DECRYPTION_FAILED', /payload\.zip\.age/);
  });

  test.each<[string, Buffer]>([
    ['longer than any may be', age(Array.from({ length: 2000 }, x25519))],
    ['without an end', Buffer.from(`age-encryption.org/v1\n${x25519()}`)],
    ['of no age file', randomBytes(200_000)],
    ['of nothing', Buffer.alloc(0)],
    ['in armor', Buffer.from('-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n')],
    ['with nothing behind it', age([x25519()]).subarray(0, -100)],
  ])('%s is refused, with an identity and without', async (_name, payload) => {
    const bundle = await sealed(payload, byRecipient);
    await expectNotOpened(bundle, byRecipient.unlock, 'INVALID_CHECKSUM', /payload\.zip\.age/);
    await expectNotOpened(bundle, undefined, 'INVALID_CHECKSUM', /payload\.zip\.age/);
  });
});

function fail(): never {
  throw new Error('the forged bundle has fewer entries than that');
}
