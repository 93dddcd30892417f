import { inflateRawSync } from 'node:zlib';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import type { ManifestSigner, Sealing, Unlocking } from '../../src/bundle/sealing.ts';
import { HoldfastError } from '../../src/errors.ts';
import { asFile, directory, file, never, type SampleBundle, symlink, writeBundle } from './sample-bundle.ts';
import { byRecipient, forgeSealed } from './seal/forge-sealed.ts';
import { keySealing, keyUnlock, noise, signer } from './seal/sealed-sample.ts';
import { carriesNothing, type Region, regionsOf } from './zip-regions.ts';

/** Thousands of bundles are read, perhaps beside other tests. */
vi.setConfig({ testTimeout: 180_000 });

const sample: SampleBundle = {
  schema: { before: [{ object: 'TABLE t', sql: 'CREATE TABLE t (id int)' }], after: [], notCarried: [] },
  tables: [{ schema: 'public', name: 't', chunks: ['{"id":1,"name":"one"}\n{"id":2,"name":"two"}\n'] }],
  files: [
    directory('d'),
    file('d/x', 'some content that is compressed, some content'),
    symlink('link', 'd/x'),
    file('empty', ''),
  ],
};

/** What a whole look at a bundle tells: of each entry that is damaged, or why it cannot be opened at all. */
async function look(bundle: Buffer, unlock?: Unlocking) {
  const damaged: { entry: string; message: string }[] = [];
  try {
    const reader = await bundleFormat.openReader(asFile(bundle), never, { unlock });
    const report = await reader.verifyContent(
      () => {},
      never,
      (entry, { message }) => void damaged.push({ entry, message }),
    );
    return { refused: undefined, damaged, report };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return { refused: error, damaged, report: undefined };
  }
}
type Look = Awaited<ReturnType<typeof look>>;

function flipped(bundle: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(bundle);
  copy[at] = (copy[at] ?? 0) ^ (1 << bit);
  return copy;
}

/** Every byte of a zip with a bit of it to flip; two where numbers are, if wanted. */
function* flips(bundle: Buffer, two: boolean): Generator<{ region: Region; at: number; bit: number }> {
  for (const region of regionsOf(bundle)) {
    const apart = two && region.part !== 'DATA' && region.part !== 'NAME' ? 4 : 8;
    for (let at = region.from; at < region.to; at++) {
      for (let bit = at % apart; bit < 8; bit += apart) yield { region, at, bit };
    }
  }
}

/** Content, names and headers around it: the entry is named. Records of the directory: it, or the directory. */
function expectTold({ refused, damaged }: Look, { part, entry = '' }: Region, where: string): void {
  const told = refused?.message ?? damaged.map(({ message }) => message).join('\n');
  expect(told, where).not.toBe('');
  if (part === 'DATA' || part === 'DESCRIPTOR' || part === 'LOCAL' || part === 'NAME') {
    expect(told, where).toContain(entry);
    if (refused === undefined)
      expect(
        damaged.map((one) => one.entry),
        where,
      ).toEqual([entry]);
  } else if (part === 'DIRECTORY' && !told.includes(entry)) {
    expect(told, where).toMatch(/director|entr|name|kind|overlap|manifest|payload|impossible/);
  } else if (entry === '') {
    expect(told, where).toMatch(/cannot be read/);
  }
  if (refused !== undefined) {
    expect(['INVALID_MANIFEST', 'INVALID_CHECKSUM', 'UNSAFE_PATH'], where).toContain(refused.code);
  }
}

/**
 * Some bits of a deflate stream say nothing: those behind its end in the last byte, and lengths of codes that it does
 * not use. Whatever inflates to the same is the same.
 */
function inflatesToTheSame(damaged: Buffer, bundle: Buffer, { from, to, part }: Region): boolean {
  if (part !== 'DATA') return false;
  try {
    return inflateRawSync(damaged.subarray(from, to)).equals(inflateRawSync(bundle.subarray(from, to)));
  } catch {
    return false;
  }
}

async function expectEveryFlipTold(bundle: Buffer, two: boolean, unlock?: Unlocking): Promise<Set<string>> {
  const honest = await look(bundle, unlock);
  expect(honest.damaged).toEqual([]);
  const harmless = new Set<string>();
  for (const { region, at, bit } of flips(bundle, two)) {
    const damaged = flipped(bundle, at, bit);
    const found = await look(damaged, unlock);
    const where = `bit ${bit} of byte ${at - region.from} of ${region.part} ${region.entry}`;
    if (carriesNothing(region, at, bit) || inflatesToTheSame(damaged, bundle, region)) {
      expect(found, where).toEqual(honest);
      harmless.add(region.part);
    } else expectTold(found, region, where);
  }
  return harmless;
}

test('the map of a zip covers all of it', async () => {
  const bundle = await writeBundle(sample);
  let end = 0;
  for (const { from, to } of regionsOf(bundle)) {
    expect(from).toBe(end);
    end = to;
  }
  expect(end).toBe(bundle.length);
});

describe('a bit that differs is told, with the entry that it is in,', () => {
  test('in a bundle that is not sealed, wherever it is', async () => {
    const harmless = await expectEveryFlipTold(await writeBundle(sample), true);
    harmless.delete('DATA');
    expect([...harmless].sort()).toEqual(['DIRECTORY', 'LOCAL', 'ZIP64_END']);
  });

  test('in an entry of several blocks, with its descriptor', async () => {
    const content = Buffer.from('all work and no play, '.repeat(100_000));
    const bundle = await writeBundle({ files: [file('big', content), file('small')] });
    const regions = regionsOf(bundle).filter(
      ({ entry, part }) => entry === 'files/app/big' && part !== 'DIRECTORY',
    );
    expect(regions.some(({ from, to, part }) => part === 'DESCRIPTOR' && to - from === 16)).toBe(true);
    for (const region of regions) {
      const step = region.part === 'DATA' ? 997 : 1;
      for (let at = region.from; at < region.to; at += step) {
        if (carriesNothing(region, at, at % 8)) continue;
        expectTold(await look(flipped(bundle, at, at % 8)), region, `byte ${at} of ${region.part}`);
      }
    }
  });

  describe('in a bundle that is sealed', () => {
    const options = (sealing: Sealing): { sealing: Sealing; signer: ManifestSigner } => ({ sealing, signer });
    let bundle: Buffer;
    beforeAll(async () => {
      bundle = await writeBundle(sample, bundleFormat, 'DEFLATE_1', options(keySealing));
    });

    test('without a key, wherever it is', async () => {
      await expectEveryFlipTold(bundle, false);
    });

    test('with the key: payload, header or the entry in it', async () => {
      const [payload] = regionsOf(bundle).filter(({ part }) => part === 'DATA');
      const { from = 0, to = 0, entry = '' } = payload ?? {};
      for (let at = from; at < to; at++) {
        const { refused, damaged } = await look(flipped(bundle, at, at % 8), keyUnlock);
        const told = refused?.message ?? damaged.map(({ message }) => message).join('\n');
        expect(told, `byte ${at}`).toContain(entry);
        if (refused !== undefined) expect(['INVALID_CHECKSUM', 'DECRYPTION_FAILED']).toContain(refused.code);
      }
    });

    test('with the key, and more than one chunk: the entries whose chunk it is, and the payload', async () => {
      const files = [file('before', noise(1000)), file('big', noise(200_000)), file('after', noise(100_000))];
      const several = await writeBundle({ files }, bundleFormat, 'STORE', options(keySealing));
      const { from } = regionsOf(several).find(({ part }) => part === 'DATA') ?? { from: 0 };
      const { refused, damaged } = await look(flipped(several, from + 100_000, 3), keyUnlock);
      expect(refused).toBeUndefined();
      expect(damaged.map(({ entry }) => entry)).toEqual(['files/app/big', 'payload.zip.aesgcm']);
      for (const { message } of damaged) expect(message).toContain('payload.zip.aesgcm');
    });

    test('for a recipient, with the identity', async () => {
      const forged = await forgeSealed([], { sealing: byRecipient });
      // Its zip has no Zip64 end: the payload is what counts here.
      const start = 30 + 'payload.zip.age'.length;
      const end = forged.indexOf(Buffer.from('504b0304', 'hex'), start);
      for (let at = start; at < end; at++) {
        const { refused, damaged } = await look(flipped(forged, at, at % 8), byRecipient.unlock);
        const told = refused?.message ?? damaged.map(({ message }) => message).join('\n');
        expect(told, `byte ${at - start} of ${end - start}`).toContain('payload.zip.age');
      }
    });
  });
});

describe('what is missing is told', () => {
  const files = [file('a', noise(50_000)), file('b', noise(40_000)), file('c', noise(30_000))];
  test.each<[string, Sealing]>([
    ['not sealed', { mode: 'NONE' }],
    ['sealed', keySealing],
  ])('of a bundle that is %s', async (_name, sealing) => {
    const bundle = await writeBundle({ files }, bundleFormat, 'STORE', { sealing, signer });
    for (let length = 0; length < bundle.length; length += 1024) {
      const { refused } = await look(bundle.subarray(0, length), keyUnlock);
      expect(refused, `cut at ${length}`).toMatchObject({
        code: 'INVALID_MANIFEST',
        message: expect.stringMatching(/is empty|its end is missing/),
      });
    }
    // From the middle of it, with the end as it was.
    for (let at = 0; at + 1024 < bundle.length - 98; at += 1024) {
      const holed = Buffer.concat([bundle.subarray(0, at), bundle.subarray(at + 1024)]);
      for (const unlock of [undefined, keyUnlock]) {
        const { refused } = await look(holed, unlock);
        expect(refused, `without 1024 bytes at ${at}`).toMatchObject({
          code: 'INVALID_MANIFEST',
          message: expect.stringMatching(/Zip64 end record|directory/),
        });
      }
    }
  });
});
