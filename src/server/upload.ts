/** POST /upload: a bundle from elsewhere, streamed to disk by the engine with constant memory. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Readable, Transform } from 'node:stream';
import type { Actor } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import { encodeGlobalId } from '../schema/global-id.ts';
import { sendError, sendJson } from './answer.ts';
import { STALLED_MS } from './download.ts';
import type { ServerParts } from './parts.ts';

class TooLarge extends HoldfastError {
  constructor(limit: number) {
    super('INVALID_INPUT', `The upload is larger than the limit of ${limit} bytes.`, {
      hint: 'Raise the upload limit in the settings of the server, or put the bundle into storage by hand.',
    });
  }
}

function requestedName(request: IncomingMessage, url: URL): string {
  const header = request.headers['x-filename'];
  let name = url.searchParams.get('fileName') ?? 'upload.zip';
  if (typeof header === 'string') {
    try {
      name = decodeURIComponent(header);
    } catch (cause) {
      throw new HoldfastError('INVALID_INPUT', 'X-Filename is not percent-encoded UTF-8.', { cause });
    }
  }
  if (name === '' || name.length > 255 || /[\p{Cc}/\\]/u.test(name) || name === '.' || name === '..') {
    throw new HoldfastError('INVALID_INPUT', 'The file name is no plain name of 1 to 255 characters.', {
      field: 'fileName',
      hint: 'Send it percent-encoded in X-Filename or as ?fileName=, without folders.',
    });
  }
  return name;
}

/** Passes bytes on and fails with {@link TooLarge} after `limit` of them. */
function limited(limit: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > limit) done(new TooLarge(limit));
      else done(null, chunk);
    },
  });
}

/**
 * The body, apart from the request: when the engine gives up and destroys it, the request lives on to be answered.
 * A caller that goes away before the end makes it fail.
 */
function bodyOf(request: IncomingMessage, limit: number): Readable {
  const body = limited(limit);
  const breakOff = (): void => {
    if (!request.complete) body.destroy(new HoldfastError('CANCELED', 'The upload broke off.'));
  };
  request.pipe(body);
  request.on('close', breakOff);
  // It may have gone while its key was looked up.
  if (request.destroyed) breakOff();
  body.on('close', () => request.unpipe(body));
  // Whoever reads it is told; without a reader yet, nobody has to be.
  body.on('error', () => {});
  return body;
}

function checkRequest(request: IncomingMessage, limit: number): void {
  if (request.headers['content-type']?.startsWith('multipart/')) {
    throw new HoldfastError('INVALID_INPUT', 'Send the file itself as the body, not a form.', {
      hint: 'curl --data-binary @bundle.zip -H "Content-Type: application/zip" …',
    });
  }
  if (Number(request.headers['content-length'] ?? 0) > limit) throw new TooLarge(limit);
}

/** Answers an upload with 201 `{ uploadId, fileName, sizeBytes, checksum }` or an error; nothing stays of a refused one. */
export async function receiveUpload(
  { engine, config }: Pick<ServerParts, 'engine' | 'config'>,
  actor: Actor,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  signal: AbortSignal,
): Promise<void> {
  request.setTimeout(STALLED_MS, () => request.destroy());
  try {
    if (actor.role !== 'ADMIN' && actor.role !== 'OWNER') {
      throw new HoldfastError('FORBIDDEN', `The role ${actor.role} does not allow uploads.`, {
        hint: 'Uploads need ADMIN.',
      });
    }
    checkRequest(request, config.uploadLimitBytes);
    const name = requestedName(request, url);
    const upload = await engine.receiveUpload(actor, name, bodyOf(request, config.uploadLimitBytes), signal);
    sendJson(response, 201, {
      uploadId: encodeGlobalId('Upload', upload.id),
      fileName: upload.fileName,
      sizeBytes: upload.sizeBytes.toString(),
      checksum: upload.checksum,
    });
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    if (error instanceof TooLarge) sendError(response, error, 413);
    else sendError(response, error);
  }
}
