/** GET and HEAD /download/kit/<token>: a sealed recovery kit, for whoever holds a signed link. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { STALLED_MS } from './download.ts';
import type { ServerParts } from './parts.ts';
import { openKitLink } from './signed-link.ts';

/** Tokens come after it. It begins as links to bundles do, so that the log leaves tokens out. */
export const KIT_DOWNLOAD_PATH = '/download/kit/';

/** Answers a download. Rejects before anything was sent, or destroys the answer when it breaks off midway. */
export async function sendKit(
  { engine, linkKey }: Pick<ServerParts, 'engine' | 'linkKey'>,
  request: IncomingMessage,
  response: ServerResponse,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  const { workspaceId, kitId } = openKitLink(linkKey, token, new Date());
  const file = await engine.openRecoveryKit(workspaceId, kitId);
  try {
    response.setHeader('Content-Type', 'application/octet-stream');
    response.setHeader('Content-Disposition', 'attachment; filename="recovery-kit.age"');
    response.setHeader('Content-Length', file.sizeBytes);
    response.writeHead(200);
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    response.setTimeout(STALLED_MS, () => response.destroy());
    await pipeline(file.read(0, file.sizeBytes, signal), response, { signal });
  } finally {
    await file.close();
  }
}
