/** Rewrites the stored bundle of a backup with another structure or manifest, so that every checksum of it is right. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { BundledSchema } from '../../src/bundle/bundle.ts';
import { bundleFormat } from '../../src/bundle/bundle-format.ts';
import type { ManifestDatabase } from '../../src/bundle/manifest.ts';
import { openLocalFile } from '../../src/storage/local-file.ts';
import { collectingSink, never, withSpool } from '../bundle/sample-bundle.ts';
import { sha256 } from '../bundle/zip-builder.ts';
import type { TestEngine } from './engine.ts';

/** What of a bundle is not as it was written. */
export interface Forgery {
  readonly schema?: (schema: BundledSchema) => BundledSchema;
  readonly database?: (database: ManifestDatabase) => ManifestDatabase;
  /** Nobody signs it; unless given this instance does. */
  readonly unsigned?: true;
}

/** Puts the forged bundle in the place of the backup's, and its checksum into the catalog. */
export async function forgeBackup(
  { directory, opened, parts }: TestEngine,
  backupId: string,
  forgery: Forgery,
): Promise<void> {
  const { storageKey, workspaceId } = await opened.prisma.backup.findUniqueOrThrow({
    where: { id: backupId },
  });
  const path = join(directory, 'bundles', storageKey);
  const key = async (id: string) => (await parts.catalog.encryptionKeys.find(workspaceId, id))?.key;
  const file = await openLocalFile(path, 'the bundle');
  const reader = await bundleFormat.openReader(file, never, { unlock: { key } });
  const { value: content } = await withSpool(async (spoolDirectory) => {
    const { sink, content: written } = collectingSink();
    const writer = bundleFormat.createWriter({
      sink,
      spoolDirectory,
      ...(!forgery.unsigned && { signer: parts.signer }),
    });
    const { database } = reader.manifest;
    const script = await reader.readSchema(never);
    if (database === null || script === null) throw new Error('the bundle holds no database');
    const schema = await writer.addSchema(forgery.schema?.(script) ?? script, never, database.kind);
    const tables = [];
    for (const table of database.tables) {
      tables.push(await writer.addTable(table, reader.readTable(table, never), () => undefined, never));
    }
    for await (const entry of reader.entries(never)) {
      if (entry.kind === 'TABLE_PART' || entry.kind === 'SCHEMA') continue;
      const content = entry.kind === 'FILE' ? Readable.from(reader.readFile(entry, never)) : undefined;
      await writer.addFile(entry, content, () => undefined, never);
    }
    const forged = { ...database, tables, schema };
    const { signature: _old, ...made } = reader.manifest;
    await writer.finish({ ...made, database: forgery.database?.(forged) ?? forged }, never);
    return written();
  });
  await reader.close();
  await writeFile(path, content);
  await opened.prisma.backup.update({
    where: { id: backupId },
    data: { checksum: sha256(content), sizeBytes: BigInt(content.length) },
  });
}
