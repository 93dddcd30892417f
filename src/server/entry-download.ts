/** GET, HEAD and POST /download/<token> for a link to a single file of a bundle. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { Actor, Unlock } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import { contentDisposition, STALLED_MS } from './download.ts';
import type { ServerParts } from './parts.ts';
import type { EntryLink } from './signed-link.ts';

/** More than the secrets that a request may hold take. Bytes. */
const LONGEST_BODY = 64 * 1024;

const bodySchema = z.strictObject({
  unlock: z.strictObject({
    passphrase: z.string().optional(),
    identities: z.array(z.string()).optional(),
  }),
});

/**
 * What a POST opens the bundle with; it needs the API key of an administrator as well as the link.
 * @throws {HoldfastError} FORBIDDEN, INVALID_INPUT; it repeats nothing of the body
 */
export async function unlockOfRequest(
  actor: Actor,
  { workspaceId }: EntryLink,
  request: IncomingMessage,
): Promise<Unlock> {
  if (actor.workspaceId !== workspaceId || (actor.role !== 'ADMIN' && actor.role !== 'OWNER')) {
    throw new HoldfastError('FORBIDDEN', 'This key does not allow what the link opens.', {
      hint: 'Use a key of an administrator of the workspace.',
    });
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    // A request without encoding gives buffers.
    const piece = chunk as Buffer;
    bytes += piece.length;
    if (bytes > LONGEST_BODY) throw invalidBody();
    chunks.push(piece);
  }
  try {
    return bodySchema.parse(JSON.parse(Buffer.concat(chunks).toString())).unlock;
  } catch {
    // Without its cause, which would quote the body.
    throw invalidBody();
  }
}

function invalidBody(): HoldfastError {
  return new HoldfastError('INVALID_INPUT', 'The body does not say what opens the bundle.', {
    hint: 'Send JSON: { "unlock": { "passphrase": "…" } }, or { "unlock": { "identities": ["AGE-SECRET-KEY-1…"] } }.',
  });
}

/**
 * Sends the file. Rejects before anything was sent; once it was begun, content that is not what the bundle says
 * breaks the connection off before its last byte.
 */
export async function sendEntry(
  { engine }: Pick<ServerParts, 'engine'>,
  request: IncomingMessage,
  response: ServerResponse,
  { workspaceId, backupId, entry: position }: EntryLink,
  signal: AbortSignal,
  unlock?: Unlock,
): Promise<void> {
  const opened = await engine
    .openEntry(workspaceId, backupId, position, signal, unlock)
    .catch((error: unknown) => {
      throw unlock === undefined ? sayHowToUnlock(error) : error;
    });
  try {
    const name = opened.path.slice(opened.path.lastIndexOf('/') + 1);
    response.setHeader('Content-Type', 'application/octet-stream');
    response.setHeader('Content-Disposition', contentDisposition(name));
    response.setHeader('Content-Length', opened.sizeBytes);
    response.setHeader('ETag', `"${opened.sha256}"`);
    response.setHeader('Accept-Ranges', 'none');
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    response.setTimeout(STALLED_MS, () => response.destroy());
    // Out at once, so that content that is damaged breaks an answer off that has begun.
    response.flushHeaders();
    await pipeline(opened.content, response, { signal });
  } finally {
    await opened.close();
  }
}

/** A link cannot carry a secret. */
function sayHowToUnlock(error: unknown): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'DECRYPTION_FAILED') return error;
  return new HoldfastError(error.code, error.message, {
    hint: 'A link carries no secret: send { "unlock": { … } } as JSON by POST to the same address, with your API key.',
    cause: error,
  });
}
