/** Opens the catalog: its file, its migrations, its client and its repositories. */
import { chmod, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HoldfastError } from '../errors.ts';
import type { Catalog } from './catalog.ts';
import { PrismaClient } from './generated/client.ts';
import { type MigrationReport, migrateCatalog } from './migrate.ts';
import { prismaBackups } from './prisma-backups.ts';
import { prismaEncryptionKeys } from './prisma-encryption-keys.ts';
import { prismaLocks } from './prisma-locks.ts';
import { prismaRecords } from './prisma-records.ts';
import { prismaSources } from './prisma-sources.ts';
import { prismaTrustedSigners } from './prisma-trusted-signers.ts';
import { prismaUploads } from './prisma-uploads.ts';
import { prismaWorkspaces } from './prisma-workspaces.ts';
import type { Secrets } from './secrets.ts';
import { catalogAdapter } from './sqlite-adapter.ts';

/** How a catalog is opened. */
export interface CatalogOptions {
  /** Absolute path of the SQLite file; it and its folder are made when they are not there. */
  readonly file: string;
  readonly secrets: Secrets;
  /** Folder of the migrations; this program's own by default. */
  readonly migrationsDirectory?: string;
}

/** An open catalog. */
export interface OpenCatalog {
  readonly catalog: Catalog;
  /** The whole catalog, of every workspace: for {@link scopeToWorkspace} and identity, not for resolvers. */
  readonly prisma: PrismaClient;
  /** What was done to bring it up to date. */
  readonly migrations: MigrationReport;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Milliseconds. Transactions here take a few; waiting for one's turn under load may take longer. */
const TRANSACTION_LIMITS = { maxWait: 30_000, timeout: 30_000 };

/** The catalog holds names, paths and sealed secrets: nobody else may read it, nor its journal beside it. */
async function prepareFile(file: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await (await open(file, 'a', 0o600)).close();
    await chmod(file, 0o600);
  } catch (error) {
    throw new HoldfastError('STORAGE_UNAVAILABLE', `The catalog ${file} cannot be opened.`, {
      hint: 'Let the user that runs Holdfast own its data directory.',
      cause: error,
    });
  }
}

/**
 * Opens the catalog and brings it up to date.
 *
 * @throws HoldfastError as {@link migrateCatalog} does, and STORAGE_UNAVAILABLE when the file cannot be opened.
 */
export async function openCatalog(options: CatalogOptions): Promise<OpenCatalog> {
  await prepareFile(options.file);
  const migrations = await migrateCatalog(options.file, options.migrationsDirectory);
  const prisma = new PrismaClient({
    adapter: catalogAdapter(options.file),
    transactionOptions: TRANSACTION_LIMITS,
  });
  await prisma.$connect();
  return {
    catalog: {
      sources: prismaSources(prisma, options.secrets),
      backups: prismaBackups(prisma),
      records: prismaRecords(prisma),
      locks: prismaLocks(prisma),
      uploads: prismaUploads(prisma),
      encryptionKeys: prismaEncryptionKeys(prisma, options.secrets),
      trustedSigners: prismaTrustedSigners(prisma),
      workspaces: prismaWorkspaces(prisma, options.secrets),
    },
    prisma,
    migrations,
    close: () => prisma.$disconnect(),
  };
}
