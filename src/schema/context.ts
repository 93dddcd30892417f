/** What every resolver is given. The server makes one per request and one per WebSocket operation. */
import type { ScopedPrisma } from '../catalog/scoped.ts';
import type { Actor, Engine } from '../engine/engine.ts';
import { HoldfastError } from '../errors.ts';
import type { RecordEvent } from '../events/record-event.ts';

/** What `settings` answers; fixed while the server runs. */
export interface ServerSettings {
  readonly version: string;
  /** Where clients reach the server, without a slash at the end. */
  readonly publicUrl: string;
  /** Bytes one upload may have. */
  readonly uploadLimitBytes: number;
  /** Absolute directories that sources may lie in. */
  readonly roots: readonly string[];
}

/** The context of a resolver. */
export interface SchemaContext {
  /** Who asks; null when nobody authenticated, and then every field refuses. */
  readonly viewer: Actor | null;
  /** Sees the viewer's workspace and nothing else. Read only: every write goes through the engine. */
  readonly prisma: ScopedPrisma;
  readonly engine: Engine;
  readonly requestId: string;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
  readonly settings: ServerSettings;
  /**
   * Snapshot, then every event above `afterSequence`, then completion after the final one.
   * @throws {HoldfastError} NOT_FOUND when the workspace has no such record.
   */
  followRecord(recordId: string, afterSequence: number | null): Promise<AsyncIterable<RecordEvent>>;
  /** What is running, then everything that moves in the workspace. */
  followWorkspace(): AsyncIterable<RecordEvent>;
  /** A signed link that expires: to the bundle, or to the file at a position of its list of entries. */
  signDownload(backupId: string, entry?: number): string;
  /** A signed link to a recovery kit. */
  signKitDownload(kitId: string, expiresAt: Date): string;
}

/** The viewer, for the verbs of the engine. */
export function actorOf(context: SchemaContext): Actor {
  if (context.viewer === null) throw unauthenticated();
  return context.viewer;
}

/** The refusal for a caller without valid credentials. */
export function unauthenticated(): HoldfastError {
  return new HoldfastError('UNAUTHENTICATED', 'No valid credentials came with the request.', {
    hint: 'Send an API key: "Authorization: Bearer <key>", or { "authorization": "Bearer <key>" } as WebSocket connection parameters.',
  });
}
