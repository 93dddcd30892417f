/**
 * The instance key: 32 random bytes from which every other key of this instance is derived. Whoever loses it
 * loses the sealed connection strings and the kept keys of bundles, so it is never replaced silently.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, link, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { HoldfastError, systemErrorCode } from '../errors.ts';

const KEY_BYTES = 32;

/** What keys are derived for. A new purpose gets a new name; names never change. */
export type KeyPurpose = 'catalog secrets' | 'signed links' | 'manifest signature';

/** Where the key comes from. */
export interface InstanceKeyOptions {
  /** Absolute path of the key file; made on first start unless the environment gives the key. */
  readonly file: string;
  /** The key in base64, base64url or hexadecimal; wins over the file, which is then neither read nor made. */
  readonly fromEnvironment?: string | undefined;
  /** The catalog's database file: when it holds sealed secrets, a lost key is an error and not a new key. */
  readonly catalogFile: string;
}

/** A key of its own for one purpose: 32 bytes, always the same for the same instance key. */
export function deriveKey(instanceKey: Buffer, purpose: KeyPurpose): Buffer {
  return Buffer.from(hkdfSync('sha256', instanceKey, '', `holdfast/${purpose}`, KEY_BYTES));
}

function decodeKey(text: string): Buffer | undefined {
  const trimmed = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return Buffer.from(trimmed, 'hex');
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) return undefined;
  // 'base64' reads the URL alphabet too.
  return Buffer.from(trimmed, 'base64');
}

/** Where the catalog keeps what is sealed with the instance key. */
const SEALED = [
  { table: 'Source', where: 'databaseSecret IS NOT NULL' },
  { table: 'EncryptionKey', where: 'true' },
] as const;

function holdsSealedSecrets(catalogFile: string): boolean {
  if (!existsSync(catalogFile)) return false;
  const database = new Database(catalogFile, { timeout: 5_000 });
  try {
    return SEALED.some(({ table, where }) => {
      const exists = database
        .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?")
        .get(table);
      if (exists === undefined) return false;
      return database.prepare(`SELECT 1 FROM "${table}" WHERE ${where} LIMIT 1`).get() !== undefined;
    });
  } finally {
    database.close();
  }
}

async function readKeyFile(file: string): Promise<Buffer | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'r');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw new HoldfastError('STORAGE_UNAVAILABLE', `The instance key ${file} cannot be read.`, {
      hint: 'Let the user that runs Holdfast read it.',
      cause: error,
    });
  }
  try {
    const { mode } = await handle.stat();
    if ((mode & 0o077) !== 0) {
      throw new HoldfastError('FORBIDDEN', `The instance key ${file} can be read by others.`, {
        hint: `Run: chmod 600 ${file}`,
      });
    }
    const key = decodeKey(await handle.readFile('utf8'));
    if (key === undefined) {
      throw new HoldfastError('INVALID_INPUT', `The file ${file} does not hold an instance key.`, {
        hint: 'It has to hold 32 bytes in base64. Put the kept copy in its place.',
      });
    }
    return key;
  } finally {
    await handle.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes the key file, complete or not at all. False when another process made it first. */
async function writeKeyFile(file: string, key: Buffer): Promise<boolean> {
  const partial = `${file}.${randomBytes(6).toString('hex')}.partial`;
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  try {
    const handle = await open(partial, 'wx', 0o600);
    try {
      await handle.writeFile(`${key.toString('base64')}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    // A link, not a rename: it never replaces a key that appeared meanwhile.
    await link(partial, file);
    await syncDirectory(dirname(file));
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(partial, { force: true });
  }
}

/**
 * The instance key, from the environment or its file; made on first start.
 *
 * @throws HoldfastError INVALID_INPUT when it is malformed, FORBIDDEN when others may read the file,
 *   DECRYPTION_FAILED when it is gone although the catalog holds secrets sealed with it.
 */
export async function loadInstanceKey(options: InstanceKeyOptions): Promise<Buffer> {
  if (options.fromEnvironment !== undefined) {
    const key = decodeKey(options.fromEnvironment);
    if (key !== undefined) return key;
    throw new HoldfastError('INVALID_INPUT', 'The instance key from the environment is malformed.', {
      hint: 'Give 32 random bytes in base64 or hexadecimal, e.g. from: openssl rand -base64 32',
    });
  }
  const existing = await readKeyFile(options.file);
  if (existing !== undefined) return existing;
  if (holdsSealedSecrets(options.catalogFile)) {
    throw new HoldfastError(
      'DECRYPTION_FAILED',
      `The instance key ${options.file} is gone, and the catalog holds secrets sealed with it.`,
      {
        hint:
          'Put the kept copy of the key back, or give it by environment. If it is lost for good, make a new data ' +
          'directory from a recovery kit: holdfast recover. Without a kit, give a new key by environment and call ' +
          'rotateEncryptionKey: sources with a sealed connection string have to be made again, and backups sealed ' +
          'with a kept key are lost.',
      },
    );
  }
  const key = randomBytes(KEY_BYTES);
  if (await writeKeyFile(options.file, key)) return key;
  const others = await readKeyFile(options.file);
  if (others === undefined) throw new Error('The instance key vanished while it was read.');
  return others;
}
