/** `holdfast inspect`: what a bundle says of itself, without a server and without a key. */
import { createHash } from 'node:crypto';
import { basename, resolve } from 'node:path';
import type { BundleReader } from '../bundle/bundle.ts';
import { bundleFormat } from '../bundle/bundle-format.ts';
import type { Manifest } from '../bundle/manifest.ts';
import { openLocalFile } from '../storage/local-file.ts';

/**
 * Prints what a bundle says of itself: for people, or as one JSON document with everything that the manifest says.
 * @throws HoldfastError what opening a bundle throws, where it is damaged or none
 */
export async function inspect(file: string, options: { readonly json: boolean }): Promise<void> {
  const { signal } = new AbortController();
  const access = await openLocalFile(resolve(file), file);
  const hash = createHash('sha256');
  const reader = await bundleFormat.openReader(access, signal);
  try {
    for await (const chunk of access.read(0, access.sizeBytes, signal)) hash.update(chunk);
    const found = { sizeBytes: access.sizeBytes, checksum: hash.digest('hex') };
    console.log(options.json ? asJson(file, found, reader) : asText(file, found, reader));
  } finally {
    await reader.close();
  }
}

/** What is known without opening the bundle. */
interface FileFacts {
  readonly sizeBytes: number;
  readonly checksum: string;
}

function asJson(file: string, found: FileFacts, { manifest, signature }: BundleReader): string {
  return JSON.stringify({ name: basename(file), ...found, signature, manifest }, null, 2);
}

function asText(file: string, found: FileFacts, { manifest, signature }: BundleReader): string {
  const { createdAt, createdBy, tool, formatVersion, source, host, trees, envFile } = manifest;
  const lines = [
    `${basename(file)}: ${found.sizeBytes} bytes`,
    `SHA-256     ${found.checksum}`,
    `made        ${createdAt} by ${createdBy} on ${host.name}, of the source ${source.name}`,
    `format      ${formatVersion}, written by ${tool.name} ${tool.version}`,
    `signed      ${signature.state === 'SIGNED' ? `by ${signature.fingerprint}` : 'by nobody'}`,
    `sealed      ${sealOf(manifest)}`,
    ...databaseOf(manifest),
    ...trees.map(
      ({ area, name, fileCount, bytes }) => `${area.padEnd(11)} ${name}: ${fileCount} files, ${bytes} bytes`,
    ),
    ...(envFile ? ['env         the env file'] : []),
    ...manifest.leftOut.map(({ name, reason }) => `left out    ${name}: ${reason}`),
    ...manifest.warnings.map((warning) => `warning     ${warning}`),
  ];
  return lines.map(plainText).join('\n');
}

function sealOf({ encryption }: Manifest): string {
  switch (encryption.mode) {
    case 'NONE':
      return 'not at all';
    case 'KEY':
      return `with the key ${encryption.keyId} of the instance that made it`;
    case 'PASSPHRASE':
      return 'with a passphrase, as age -p does';
    case 'RECIPIENT':
      return `with age, for ${encryption.recipients.join(', ')}`;
  }
}

function databaseOf({ database }: Manifest): string[] {
  if (database === null) return [];
  const { kind, serverVersion, name, snapshotAt, tables } = database;
  return [
    `database    ${name}, ${kind} ${serverVersion}, as of ${snapshotAt}`,
    ...tables.map((table) => {
      const label = table.schema === null ? table.name : `${table.schema}.${table.name}`;
      return `  table     ${label}: ${table.rowCount} rows`;
    }),
  ];
}

/** Whoever made a bundle must not write to the terminal: no control characters, and none that turn text around. */
export function plainText(line: string): string {
  return line.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\ufffd');
}
