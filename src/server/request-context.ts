/** What the server knows of an operation before GraphQL begins, and the context it makes of it. */
import { scopeToWorkspace } from '../catalog/scoped.ts';
import type { Actor } from '../engine/engine.ts';
import { followRecord } from '../events/follow-record.ts';
import { followWorkspace } from '../events/follow-workspace.ts';
import type { SchemaContext } from '../schema/context.ts';
import { KIT_DOWNLOAD_PATH } from './kit-download.ts';
import type { ServerParts } from './parts.ts';
import { signKitLink, signLink } from './signed-link.ts';

const DOWNLOAD_LINK_SECONDS = 900;

/** What HTTP and WebSocket hand to Yoga with every operation. */
export interface OperationOrigin {
  readonly actor: Actor;
  readonly requestId: string;
  /** Aborted when the caller goes away or the server stops. */
  readonly signal: AbortSignal;
}

/** Makes the context of the schema. `publicUrl` has no slash at the end. */
export function schemaContext(
  parts: ServerParts,
  publicUrl: string,
  { actor, requestId, signal }: OperationOrigin,
): SchemaContext {
  const { config, engine, events, catalog, linkKey } = parts;
  const follow = { records: catalog.records, source: events };
  const { workspaceId } = actor;
  return {
    viewer: actor,
    prisma: scopeToWorkspace(parts.prisma, workspaceId),
    engine,
    requestId,
    signal,
    settings: {
      version: config.version,
      publicUrl,
      uploadLimitBytes: config.uploadLimitBytes,
      roots: config.roots,
    },
    followRecord: (recordId, afterSequence) =>
      followRecord(follow, workspaceId, recordId, afterSequence, signal),
    followWorkspace: () => followWorkspace(follow, workspaceId, signal),
    signDownload: (backupId, entry) => {
      const seconds = config.downloadLinkSeconds ?? DOWNLOAD_LINK_SECONDS;
      const expiresAt = new Date(Date.now() + seconds * 1000);
      return `${publicUrl}/download/${signLink(linkKey, { workspaceId, backupId, entry }, expiresAt)}`;
    },
    signKitDownload: (kitId, expiresAt) =>
      `${publicUrl}${KIT_DOWNLOAD_PATH}${signKitLink(linkKey, { workspaceId, kitId }, expiresAt)}`,
  };
}
