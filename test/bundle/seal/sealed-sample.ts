/** Sealed sample bundles, and everything of one in a form that can be compared. */
import { createHash } from 'node:crypto';
import type { BundleReader, BundleReaderOptions } from '../../../src/bundle/bundle.ts';
import { bundleFormat } from '../../../src/bundle/bundle-format.ts';
import { seededSigner } from '../../../src/bundle/seal/signer.ts';
import type { Sealing, Unlocking } from '../../../src/bundle/sealing.ts';
import {
  asFile,
  bytesOf,
  directory,
  file,
  listEntries,
  never,
  type SampleBundle,
  symlink,
  writeBundle,
} from '../sample-bundle.ts';

export const KEY: Buffer = createHash('sha256').update('a key of a test').digest();
export const keySealing: Sealing = { mode: 'KEY', keyId: 'key-1', key: KEY };
export const signer = seededSigner(Buffer.alloc(32, 7));

/** What opens a bundle of {@link keySealing}. */
export const keyUnlock: Unlocking = { key: async (keyId) => (keyId === 'key-1' ? KEY : undefined) };

/** Bytes that do not compress, the same every time. */
export function noise(length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < length; at += 32) blocks.push(createHash('sha256').update(String(at)).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

/** Small enough to look at, with more than three chunks of content that does not compress. */
export const sample: SampleBundle = {
  schema: {
    before: [{ object: 'TABLE orders', sql: 'CREATE TABLE orders (id int)' }],
    after: [],
    notCarried: [],
  },
  tables: [
    {
      schema: 'public',
      name: 'orders',
      chunks: Array.from({ length: 50 }, (_, id) => `{"id":${id},"text":"row number ${id}"}\n`),
    },
    { schema: 'sales', name: 'empty', chunks: [] },
  ],
  files: [
    directory('dir'),
    file('dir/big', noise(3 * 65_536 + 17)),
    symlink('dir/link', 'big'),
    file('small', 'x'),
  ],
};

export function sealedBundle(
  sealing: Sealing,
  content: SampleBundle = sample,
  signed = true,
): Promise<Buffer> {
  return writeBundle(content, bundleFormat, 'DEFLATE_1', { sealing, ...(signed && { signer }) });
}

export function openSealed(bundle: Buffer, options: BundleReaderOptions = {}): Promise<BundleReader> {
  return bundleFormat.openReader(asFile(bundle), never, options);
}

/** All content, by entry. */
export async function contentOf(reader: BundleReader): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  for (const table of reader.manifest.database?.tables ?? []) {
    content[table.name] = (await bytesOf(reader.readTable(table, never))).toString();
  }
  for (const entry of await listEntries(reader)) {
    if (entry.kind === 'FILE' || entry.kind === 'SYMLINK') {
      content[entry.entry] = (await bytesOf(reader.readFile(entry, never))).toString('base64');
    }
  }
  content['schema'] = JSON.stringify(await reader.readSchema(never));
  return content;
}
