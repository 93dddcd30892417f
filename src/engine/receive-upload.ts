/** Streams an uploaded bundle to disk: complete under its name, or not there at all. */
import { createHash, randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { UploadRow } from '../catalog/catalog.ts';
import { HoldfastError, systemErrorCode } from '../errors.ts';
import type { Actor } from './engine.ts';
import { dropUpload, uploadsInUse } from './import-backup.ts';
import type { EngineParts } from './parts.ts';
import { syncDirectory } from './sync-directory.ts';

/** An upload that nobody restores or imports is removed after this long. */
const UPLOAD_LIFETIME_MS = 24 * 60 * 60 * 1000;
const MAX_NAME = 200;

/** @throws HoldfastError INVALID_INPUT (too large, empty), STORAGE_FULL, CANCELED */
export async function receiveUpload(
  parts: EngineParts,
  actor: Actor,
  fileName: string,
  content: Readable,
  signal: AbortSignal,
): Promise<UploadRow> {
  const { uploads } = parts.directories;
  await mkdir(uploads, { recursive: true, mode: 0o700 });
  const id = randomUUID();
  const temporary = join(uploads, partName(parts.identity.owner, id));
  try {
    const { sizeBytes, checksum } = await writeAll(content, temporary, parts.uploadLimitBytes, signal);
    if (sizeBytes === 0) {
      throw new HoldfastError('INVALID_INPUT', 'The upload is empty.', {
        hint: 'Send the bundle as the body.',
      });
    }
    await rename(temporary, join(uploads, id));
    await syncDirectory(uploads);
    return await parts.catalog.uploads.create({
      id,
      workspaceId: actor.workspaceId,
      fileName: cleanName(fileName),
      sizeBytes: BigInt(sizeBytes),
      checksum,
      expiresAt: new Date(parts.now().getTime() + UPLOAD_LIFETIME_MS),
    });
  } catch (error) {
    await rm(temporary, { force: true });
    await rm(join(uploads, id), { force: true });
    if (error instanceof HoldfastError) throw error;
    const code = systemErrorCode(error);
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new HoldfastError('STORAGE_FULL', 'There is no room left for the upload.', {
        hint: 'Free some space in the data directory.',
        cause: error,
      });
    }
    if (signal.aborted || code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ECONNRESET') {
      throw new HoldfastError('CANCELED', 'The upload broke off; nothing of it was kept.', { cause: error });
    }
    throw error;
  }
}

/** Removes uploads that were never used. */
export async function expireUploads(parts: EngineParts): Promise<void> {
  const inUse = await uploadsInUse(parts);
  for (const upload of await parts.catalog.uploads.expired(parts.now())) {
    if (!inUse.has(upload.id)) await dropUpload(parts, upload.id);
  }
}

/** Removes what uploads left behind whose process died, and files that outlived the catalog's word for them. */
export async function sweepUploads(parts: EngineParts): Promise<void> {
  const { uploads } = parts.directories;
  const tooOld = parts.now().getTime() - 2 * UPLOAD_LIFETIME_MS;
  const inUse = await uploadsInUse(parts);
  for (const name of await readdir(uploads)) {
    if (inUse.has(name)) continue;
    const path = join(uploads, name);
    const owner = PART.exec(name)?.[1];
    const abandoned =
      owner === undefined
        ? ((await stat(path).catch(() => undefined))?.mtimeMs ?? Number.POSITIVE_INFINITY) < tooOld
        : parts.identity.isDead(decodeURIComponent(owner));
    if (abandoned) await rm(path, { force: true });
  }
}

/** Says whose it is, so that a piece of a dead process is told from one that is growing. */
function partName(owner: string, id: string): string {
  return `.${id}.${encodeURIComponent(owner)}.part`;
}

const PART = /^\.[0-9a-f-]{36}\.(.+)\.part$/;

async function writeAll(
  content: Readable,
  path: string,
  limit: number,
  signal: AbortSignal,
): Promise<{ sizeBytes: number; checksum: string }> {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sizeBytes += chunk.length;
      if (sizeBytes > limit) {
        done(
          new HoldfastError('INVALID_INPUT', `The upload is larger than the limit of ${limit} bytes.`, {
            hint: 'Raise HOLDFAST_UPLOAD_LIMIT_BYTES on the server.',
          }),
        );
        return;
      }
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(content, measure, createWriteStream(path, { flags: 'wx', mode: 0o600 }), { signal });
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
  return { sizeBytes, checksum: hash.digest('hex') };
}

/** A name for people; it never becomes a path. */
function cleanName(name: string): string {
  const plain = name.replace(/[^\p{L}\p{N} ._()-]/gu, '_').slice(0, MAX_NAME);
  return plain.trim() === '' ? 'upload.zip' : plain;
}
