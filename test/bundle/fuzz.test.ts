/**
 * Thousands of bundles that nobody thought of: each opens and holds what it held before, or is refused with a code that
 * docs/bundle-format.md has. HOLDFAST_TEST_FUZZ_SEED repeats a run, HOLDFAST_TEST_FUZZ_RUNS makes it longer.
 */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import { type Manifest, manifestSchema } from '../../src/bundle/manifest.ts';
import { signManifest } from '../../src/bundle/seal/manifest-signature.ts';
import type { Unlocking } from '../../src/bundle/sealing.ts';
import { HoldfastError } from '../../src/errors.ts';
import type { RandomAccess } from '../../src/storage/storage.ts';
import { asFile, directory, file, never, symlink, writeBundle } from './sample-bundle.ts';
import { replacePayload, splitBundle } from './seal/cover.ts';
import { byKey, byRecipient, forgeSealed } from './seal/forge-sealed.ts';
import { contentOf, keyUnlock, noise, signer } from './seal/sealed-sample.ts';
import { type Forgery, forgeBundle, forgedFile, forgedLink, withManifest } from './zip-builder.ts';

/** With HOLDFAST_TEST_FUZZ_RUNS it may take a while. */
vi.setConfig({ testTimeout: 3_600_000 });

const CODES: ReadonlySet<string> = new Set([
  'INVALID_MANIFEST',
  'INVALID_CHECKSUM',
  'INVALID_SIGNATURE',
  'UNSAFE_PATH',
  'FORMAT_TOO_NEW',
  'FORMAT_TOO_OLD',
  'DECRYPTION_FAILED',
]);
const MIB = 1024 * 1024;
/** A reader looks at every byte a few times: for its content, for each check, and for whoever reads it here. */
const MOST_READS = 40;

const given = (name: string): number | undefined => {
  const value = process.env[`HOLDFAST_TEST_FUZZ_${name}`];
  return value === undefined ? undefined : Number(value);
};
const seed = given('SEED');
const parameters = (runs: number): fc.Parameters<unknown> => ({
  numRuns: given('RUNS') ?? runs,
  ...(seed !== undefined && { seed }),
});

/** Fails when more is read of a file than there is any reason for. */
function metered(content: Buffer): RandomAccess {
  const source = asFile(content);
  let bytes = 0;
  return {
    ...source,
    read(start, end, signal) {
      bytes += end - start;
      if (bytes > MOST_READS * content.length + MIB) throw new Error('the bundle is read over and over');
      return source.read(start, end, signal);
    },
  };
}

/** What a bundle holds, without what only its manifest tells; or the code it is refused with. */
async function read(bundle: Buffer, unlock?: Unlocking): Promise<object | string> {
  try {
    const reader = await bundleFormat.openReader(metered(bundle), never, { unlock });
    try {
      const report = await reader.verifyContent(() => {}, never);
      if (reader.locked) return { locked: true, report };
      const { schema: _toldByManifest, ...content } = await contentOf(reader);
      return { ...content, report };
    } finally {
      await reader.close();
    }
  } catch (error) {
    if (error instanceof HoldfastError && CODES.has(error.code)) return error.code;
    throw error;
  }
}

/** Holds of one mutant; `codes` collects what was met, to see that the mutants reach the checks. */
async function expectSameOrRefused(
  mutant: Buffer,
  original: object | string,
  codes: Set<string>,
  unlock?: Unlocking,
): Promise<void> {
  const found = await read(mutant, unlock);
  if (typeof found === 'string') codes.add(found);
  else {
    codes.add('same');
    // Its own message shows a mutant of megabytes; the mutations are what matters.
    if (!isDeepStrictEqual(found, original)) throw new Error('another content was read');
  }
}

/** Changes of bytes; places are taken modulo the length. */
const byteChanges = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('set' as const), at: fc.nat(), value: fc.nat(255) }),
    fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), value: fc.nat(7) }),
    fc.record({
      kind: fc.constant('number' as const),
      at: fc.nat(),
      value: fc.constantFrom(0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0xfffffffe, 0xffffffff),
    }),
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat(), value: fc.nat(100) }),
    fc.record({ kind: fc.constant('repeat' as const), at: fc.nat(), value: fc.nat(100) }),
    fc.record({ kind: fc.constant('move' as const), at: fc.nat(), value: fc.nat(100) }),
  ),
  { minLength: 1, maxLength: 4 },
);
type ByteChanges = typeof byteChanges extends fc.Arbitrary<infer T> ? T : never;

function changed(bytes: Buffer, changes: ByteChanges): Buffer {
  let result = Buffer.from(bytes);
  for (const { kind, at: anywhere, value } of changes) {
    if (result.length === 0) return result;
    const at = anywhere % result.length;
    const piece = result.subarray(at, at + value);
    const [before, after] = [result.subarray(0, at), result.subarray(at + value)];
    if (kind === 'set') result[at] = value;
    else if (kind === 'flip') result[at] = (result[at] ?? 0) ^ (1 << value);
    else if (kind === 'number') {
      const number = Buffer.alloc(4);
      number.writeUInt32LE(value);
      number.copy(result, at);
    } else if (kind === 'cut') result = Buffer.concat([before, after]);
    else if (kind === 'repeat') result = Buffer.concat([before, piece, piece, after]);
    else result = Buffer.concat([piece, before, after]);
  }
  return result;
}

/** Changes of JSON: of the node that a path of numbers leads to. */
const jsonChanges = fc.array(
  fc.record({
    path: fc.array(fc.nat(30), { maxLength: 6 }),
    kind: fc.constantFrom('replace', 'remove', 'repeat', 'add', 'nudge', 'swap'),
    value: fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom('', '../x', '/etc', 'a\0', '\ud800', -1, 2 ** 53, 1e300, '9'.repeat(400), 2, 0),
    ),
  }),
  { minLength: 1, maxLength: 3 },
);
type JsonChanges = typeof jsonChanges extends fc.Arbitrary<infer T> ? T : never;

/** A leaf in another's place: one that is nearly the same, or anything. */
function otherThan(leaf: unknown, { kind, value }: JsonChanges[number]): unknown {
  if (kind !== 'nudge') return value;
  if (typeof leaf === 'number') return leaf + 1;
  // The hash stays one.
  if (typeof leaf === 'string') return /[0-9]$/.test(leaf) ? `${leaf.slice(0, -1)}a` : `${leaf}0`;
  return leaf === false;
}

/** Changes the members of an object or list, of which one is meant. */
function changeMembers(
  members: [string, unknown][],
  index: number,
  { kind, value }: JsonChanges[number],
): void {
  const meant = members[index];
  if (meant === undefined) return;
  if (kind === 'remove') members.splice(index, 1);
  if (kind === 'repeat') members.splice(index, 0, meant);
  if (kind === 'swap') members.reverse();
  if (kind === 'add') members.push(['unknown', value]);
}

function withChange(node: unknown, change: JsonChanges[number], depth = 0): unknown {
  if (typeof node !== 'object' || node === null || depth === change.path.length)
    return otherThan(node, change);
  const members = Object.entries(node);
  const index = (change.path[depth] ?? 0) % Math.max(1, members.length);
  const meant = members[index];
  if (meant === undefined) return otherThan(node, change);
  const replaces = change.kind === 'replace' || change.kind === 'nudge';
  if (depth === change.path.length - 1 && !replaces) changeMembers(members, index, change);
  else meant[1] = withChange(meant[1], change, depth + 1);
  return Array.isArray(node) ? members.map(([, value]) => value) : Object.fromEntries(members);
}

const signatures = fc.constantFrom('made again', 'left', 'none');

function resigned(manifest: unknown, signature: string): unknown {
  if (signature === 'left' || typeof manifest !== 'object' || manifest === null) return manifest;
  // Whatever it is by now: the signer asks for JSON only.
  const { signature: _old, ...unsigned } = manifest as Manifest;
  return signature === 'none' ? { ...unsigned, signature: null } : signManifest(unsigned, signer);
}

const files = [
  forgedFile('files/app/a', 'a', { content: Buffer.from('some content, some content') }),
  forgedFile('files/app/b', 'd/b', { content: noise(300), stored: true }),
  forgedLink('files/app/l', 'l', '../b'),
];
let before: number;
let plain: Buffer;
let manifest: Manifest;

beforeAll(async () => {
  plain = await writeBundle(
    {
      schema: { before: [{ object: 'TABLE t', sql: 'CREATE TABLE t (id int)' }], after: [], notCarried: [] },
      tables: [
        { schema: 'public', name: 't', chunks: ['{"id":1,"name":"one"}\n{"id":2,"name":"two"}\n'] },
        { schema: null, name: 'u', chunks: [] },
      ],
      files: [directory('d'), file('d/x', 'some content, some content'), symlink('l', 'd/x')],
    },
    bundleFormat,
    'DEFLATE_1',
    { signer },
  );
  const reader = await bundleFormat.openReader(asFile(plain), never);
  manifest = reader.manifest;
  before = process.memoryUsage().rss;
});

/** After each property: the mutants met what they should, and took no memory that stayed. */
function expectReached(codes: ReadonlySet<string>, ...expected: string[]): void {
  // A run that was made short on purpose reaches less.
  if (given('RUNS') === undefined) expect([...codes]).toEqual(expect.arrayContaining(expected));
  expect(process.memoryUsage().rss - before).toBeLessThan(400 * MIB);
}

describe('a mutant of', () => {
  test('the manifest, signed again or not', async () => {
    const codes = new Set<string>();
    const original = await read(plain);
    // The entries as they lie in the bundle, and another manifest behind them.
    const at = plain.lastIndexOf(Buffer.from('504b0304', 'hex'));
    const record = plain.lastIndexOf(Buffer.from('504b0102', 'hex'));
    await fc.assert(
      fc.asyncProperty(jsonChanges, signatures, async (changes, signature) => {
        const mutated = changes.reduce<unknown>((node, change) => withChange(node, change), manifest);
        const json = Buffer.from(JSON.stringify(resigned(mutated, signature)) ?? '');
        await expectSameOrRefused(withManifest(plain, { at, record }, json), original, codes);
      }),
      parameters(3000),
    );
    expectReached(
      codes,
      'same',
      'INVALID_MANIFEST',
      'INVALID_SIGNATURE',

      'FORMAT_TOO_NEW',
    );
  });

  test('the list of entries, with every hash of it made again', async () => {
    const codes = new Set<string>();
    const original = await read(forgeBundle(files));
    await fc.assert(
      fc.asyncProperty(jsonChanges, fc.option(byteChanges), async (changes, bytes) => {
        const mutate: Forgery['list'] = (lines) => {
          const records = lines.map((line): unknown => JSON.parse(line));
          const mutated = changes.reduce<unknown>((node, change) => withChange(node, change), records);
          const written = (Array.isArray(mutated) ? mutated : [mutated]).map(
            (one) => JSON.stringify(one) ?? '',
          );
          return bytes === null
            ? written
            : changed(Buffer.from(written.join('\n')), bytes)
                .toString()
                .split('\n');
        };
        await expectSameOrRefused(forgeBundle(files, { list: mutate }), original, codes);
      }),
      parameters(3000),
    );
    expectReached(codes, 'same', 'INVALID_MANIFEST', 'UNSAFE_PATH', 'INVALID_CHECKSUM');
  });

  test('the zip directory and its end records', async () => {
    const codes = new Set<string>();
    const original = await read(plain);
    const start = plain.indexOf(Buffer.from('504b0102', 'hex'));
    await fc.assert(
      fc.asyncProperty(byteChanges, async (changes) => {
        const mutant = Buffer.concat([plain.subarray(0, start), changed(plain.subarray(start), changes)]);
        await expectSameOrRefused(mutant, original, codes);
      }),
      parameters(3000),
    );
    expectReached(codes, 'same', 'INVALID_MANIFEST', 'INVALID_CHECKSUM');
  });

  test('a bundle, anywhere', async () => {
    const codes = new Set<string>();
    const original = await read(plain);
    await fc.assert(
      fc.asyncProperty(byteChanges, (changes) =>
        expectSameOrRefused(changed(plain, changes), original, codes),
      ),
      parameters(2500),
    );
    expectReached(codes, 'INVALID_MANIFEST', 'INVALID_CHECKSUM');
  });

  describe.each([byKey, byRecipient])('a payload of mode $mode,', (sealing) => {
    test('in a cover that fits it', async () => {
      const codes = new Set<string>();
      const bundle = await forgeSealed(files, { sealing });
      const { payload } = splitBundle(bundle);
      const original = await read(bundle, sealing.unlock);
      await fc.assert(
        fc.asyncProperty(byteChanges, fc.boolean(), async (changes, inHeader) => {
          // Headers are short; most changes would miss them.
          const cut = inHeader ? 120 : 0;
          const mutant = inHeader
            ? Buffer.concat([changed(payload.subarray(0, cut), changes), payload.subarray(cut)])
            : changed(payload, changes);
          await expectSameOrRefused(replacePayload(bundle, mutant), original, codes, sealing.unlock);
        }),
        parameters(1200),
      );
      expectReached(codes, 'INVALID_CHECKSUM', 'DECRYPTION_FAILED');
    });

    test('with a key that its mutants are sealed and signed with', async () => {
      const codes = new Set<string>();
      const original = await read(await forgeSealed(files, { sealing }), sealing.unlock);
      await fc.assert(
        fc.asyncProperty(byteChanges, async (changes) => {
          const mutant = await forgeSealed(files, { sealing, inner: (zip) => changed(zip, changes) });
          await expectSameOrRefused(mutant, original, codes, sealing.unlock);
        }),
        parameters(sealing === byKey ? 2000 : 500),
      );
      expectReached(codes, 'INVALID_MANIFEST', 'INVALID_CHECKSUM');
    });
  });
});

test('the mutants of a manifest begin with one that is right', async () => {
  expect(manifestSchema.parse(manifest)).toEqual(manifest);
  const at = plain.lastIndexOf(Buffer.from('504b0304', 'hex'));
  const record = plain.lastIndexOf(Buffer.from('504b0102', 'hex'));
  const same = withManifest(plain, { at, record }, Buffer.from(JSON.stringify(manifest)));
  expect(await read(same, keyUnlock)).toEqual(await read(plain));
});
