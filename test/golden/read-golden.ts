/** Everything of a bundle in a form that fits into JSON. */
import type { EntryRecord, Manifest } from '../../src/bundle/manifest.ts';
import type { Unlocking } from '../../src/bundle/sealing.ts';
import { bytesOf, listEntries, never } from '../bundle/sample-bundle.ts';
import { openSealed } from '../bundle/seal/sealed-sample.ts';
import { sha256 } from '../bundle/zip-builder.ts';

/** What opens a golden bundle, as its JSON has it: secrets of nobody, made for it. */
export interface GoldenUnlock {
  readonly key?: { readonly id: string; readonly base64: string };
  readonly passphrase?: string;
  readonly identity?: string;
}

/** What a golden bundle holds. */
export interface Golden {
  readonly manifest: Manifest;
  readonly entries: readonly EntryRecord[];
  /** Row lines, by the table's name. */
  readonly rows: Readonly<Record<string, readonly string[]>>;
  readonly schema: unknown;
  /** By entry: text as it is when it is short, else its SHA-256. */
  readonly files: Readonly<Record<string, string>>;
  readonly report: unknown;
}

/** For the reader. */
export function unlocking({ key, passphrase, identity }: GoldenUnlock): Unlocking {
  return {
    key: async (id) => (key?.id === id ? Buffer.from(key.base64, 'base64') : undefined),
    ...(passphrase !== undefined && { passphrase }),
    ...(identity !== undefined && { identities: [identity] }),
  };
}

/** Reads all that a bundle holds, in all the ways there are. */
export async function readGolden(bundle: Buffer, unlock: Unlocking): Promise<Golden> {
  const reader = await openSealed(bundle, { unlock });
  try {
    const rows: Record<string, readonly string[]> = {};
    for (const table of reader.manifest.database?.tables ?? []) {
      const lines = (await bytesOf(reader.readTable(table, never))).toString();
      rows[table.name] = lines.split('\n').slice(0, -1);
    }
    const entries = await listEntries(reader);
    const files: Record<string, string> = {};
    for (const entry of entries) {
      if (entry.kind !== 'FILE' && entry.kind !== 'SYMLINK') continue;
      const content = await bytesOf(reader.readFile(entry, never));
      files[entry.entry] = content.length < 100 ? content.toString() : sha256(content);
    }
    const schema = await reader.readSchema(never);
    const report = await reader.verifyContent(() => {}, never);
    return { manifest: reader.manifest, entries, rows, schema, files, report };
  } finally {
    await reader.close();
  }
}
