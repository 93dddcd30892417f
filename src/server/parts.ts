/** What a server is made of; app.ts puts it together. */
import type { Logger } from 'pino';
import type { Catalog } from '../catalog/catalog.ts';
import type { PrismaClient } from '../catalog/generated/client.ts';
import type { Identity } from '../catalog/identity.ts';
import type { Engine } from '../engine/engine.ts';
import type { RecordEventSource } from '../events/record-event.ts';

/** How a server behaves. */
export interface ServerConfig {
  /** Version of the program. */
  readonly version: string;
  /** Where clients reach the server; null makes it the address it listens on. */
  readonly publicUrl: string | null;
  /** Serves GraphiQL. */
  readonly development: boolean;
  /** Bytes one upload may have. */
  readonly uploadLimitBytes: number;
  /** Directories that sources may lie in; shown by `settings`. */
  readonly roots: readonly string[];
  /** Seconds a download link works; 900 when left out. */
  readonly downloadLinkSeconds?: number;
}

/** The parts of a server. */
export interface ServerParts {
  readonly config: ServerConfig;
  readonly engine: Engine;
  /** The whole catalog; every request sees its own workspace of it. */
  readonly prisma: PrismaClient;
  readonly catalog: Pick<Catalog, 'records'>;
  readonly identity: {
    /** Undefined when the key is unknown or revoked. */
    authenticateApiKey(apiKey: string): Promise<Identity | undefined>;
  };
  readonly events: RecordEventSource;
  readonly log: Logger;
  /** Signs download links: 32 random bytes or more, the same at every start. */
  readonly linkKey: Buffer;
  /** Named checks of GET /ready; each rejects while its part cannot be used. */
  readonly checks: Readonly<Record<string, () => Promise<void>>>;
}
