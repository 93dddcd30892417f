/** GET and HEAD /download/<token>: the bytes of a bundle, for whoever holds a signed link. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { type ByteRange, parseRange } from './byte-range.ts';
import type { ServerParts } from './parts.ts';
import type { LinkTarget } from './signed-link.ts';

/** Milliseconds without a byte moving before a stalled transfer is broken off. */
export const STALLED_MS = 300_000;

/** `filename` for old programs, `filename*` for names beyond ASCII. */
export function contentDisposition(name: string): string {
  const plain = name.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  // Bytes that are no UTF-8 are lone surrogates, which cannot be encoded.
  const encoded = encodeURIComponent(name.toWellFormed()).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16)}`,
  );
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** A range counts only while the bundle is the one the caller has begun with. */
function wantedRange(request: IncomingMessage, etag: string, size: number) {
  const ifRange = request.headers['if-range'];
  if (ifRange !== undefined && ifRange !== etag) return undefined;
  return parseRange(request.headers.range, size);
}

/** Answers a download. Rejects before anything was sent, or destroys the answer when it breaks off midway. */
export async function sendDownload(
  { engine }: Pick<ServerParts, 'engine'>,
  request: IncomingMessage,
  response: ServerResponse,
  { workspaceId, backupId }: LinkTarget,
  signal: AbortSignal,
): Promise<void> {
  const { backup, file } = await engine.openBackup(workspaceId, backupId, signal);
  try {
    const size = file.sizeBytes;
    const etag = `"${backup.checksum}"`;
    const range = wantedRange(request, etag, size);
    response.setHeader('Accept-Ranges', 'bytes');
    response.setHeader('ETag', etag);
    response.setHeader('Content-Type', 'application/zip');
    response.setHeader('Content-Disposition', contentDisposition(backup.name));
    if (range === 'UNSATISFIABLE') {
      response.writeHead(416, { 'Content-Range': `bytes */${size}`, 'Content-Length': 0 });
      response.end();
      return;
    }
    const { start, end }: ByteRange = range ?? { start: 0, end: size };
    response.setHeader('Content-Length', end - start);
    if (range !== undefined) response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${size}`);
    response.writeHead(range === undefined ? 200 : 206);
    if (request.method === 'HEAD' || start === end) {
      response.end();
      return;
    }
    response.setTimeout(STALLED_MS, () => response.destroy());
    await pipeline(file.read(start, end, signal), response, { signal });
  } finally {
    await file.close();
  }
}
