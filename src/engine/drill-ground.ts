/** Where a drill makes its scratch database, and how that is found again after a crash. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Manifest } from '../bundle/manifest.ts';
import type { DatabaseKind, DatabaseSettings, SourceRow } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { Database, TextSettings } from '../source/source.ts';
import { openDatabase } from './open-database.ts';
import type { EngineParts } from './parts.ts';

/** The name of a drill's database: of its record alone, so that whoever comes later knows whose it is. */
export function scratchName(recordId: string): string {
  return `holdfast_drill_${recordId.toLowerCase().replace(/[^0-9a-z]/g, '')}`;
}

/** Where a drill writes files, a directory of its own in that of its record. */
export function scratchDirectory(parts: EngineParts, recordId: string): string {
  return join(parts.directories.temporary, recordId, 'drill');
}

/**
 * Refuses a drill that has no place to go to, before anything is done.
 * @throws HoldfastError INVALID_INPUT, saying what to set
 */
export function requireGround(source: SourceRow | undefined, manifest: Manifest): void {
  const { database } = manifest;
  if (database === null) return;
  if (database.schema === null) {
    throw new HoldfastError('INVALID_INPUT', 'The bundle holds rows without the structure of their tables.', {
      field: 'level',
      hint: 'It cannot be restored into an empty database. Verify it with level CONTENT.',
    });
  }
  groundOf(source, database.kind);
}

/** The server that drills of a source may use; undefined for SQLite, which needs none. @throws HoldfastError INVALID_INPUT */
export function groundOf(source: SourceRow | undefined, kind: DatabaseKind): DatabaseSettings | undefined {
  if (kind === 'SQLITE') return undefined;
  if (source === undefined || source.database?.kind !== kind) {
    throw new HoldfastError('INVALID_INPUT', `The backup has no source with a server of kind ${kind}.`, {
      field: 'level',
      hint: 'A drill runs on the scratch server of the source of the backup, or on its own. Import the bundle for such a source.',
    });
  }
  const { url, onOwnServer } = source.drill ?? { url: null, onOwnServer: false };
  if (url !== null) return { kind, url };
  if (onOwnServer || kind === 'MARIADB') return source.database;
  throw new HoldfastError('INVALID_INPUT', `The source ${source.name} allows no drills yet.`, {
    field: 'level',
    hint: 'Set drill.url of the source to a scratch server, or drill.onOwnServer to true: drills then make and drop databases of their own on its server.',
  });
}

/** What stands for the server: the database that scratch databases are made beside. */
export async function openGround(
  parts: EngineParts,
  recordId: string,
  source: SourceRow | undefined,
  kind: DatabaseKind,
): Promise<Database> {
  const server = groundOf(source, kind);
  if (server !== undefined) return await parts.openDatabase(server);
  const path = join(scratchDirectory(parts, recordId), 'scratch.sqlite');
  await mkdir(dirname(path), { recursive: true });
  return await parts.openDatabase({ kind: 'SQLITE', path });
}

/** How the source sorts its text; undefined when it cannot be asked: that must not keep a drill from running. */
export async function textSettingsOf(
  parts: EngineParts,
  source: SourceRow | undefined,
  kind: DatabaseKind,
  signal: AbortSignal,
): Promise<TextSettings | undefined> {
  if (source === undefined || source.database === null || source.database.kind !== kind) return undefined;
  try {
    const database = await openDatabase(parts, source.database);
    return await database.scratch.textSettings(signal);
  } catch (error) {
    if (signal.aborted || !(error instanceof HoldfastError)) throw error;
    return undefined;
  }
}
