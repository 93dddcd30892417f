/** Reads the address of a MariaDB or MySQL database: `mariadb://user:password@host:port/database?ssl-mode=…`. */
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { HoldfastError } from '../../../errors.ts';

const SSL_MODES = ['DISABLED', 'PREFERRED', 'REQUIRED', 'VERIFY_CA', 'VERIFY_IDENTITY'] as const;
type SslMode = (typeof SSL_MODES)[number];

/** Where a database is and how to get in. Holds the password: never print it. */
export interface MariadbAddress {
  readonly host: string;
  readonly port: number;
  /** Path of a Unix socket, instead of host and port. */
  readonly socket: string | undefined;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly sslMode: SslMode;
  readonly sslCa: string | undefined;
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('INVALID_INPUT', message, {
    hint: 'Write it as mariadb://user:password@host:3306/database, special characters percent-encoded.',
  });
}

function isSslMode(text: string): text is SslMode {
  return SSL_MODES.some((mode) => mode === text);
}

/**
 * Parses an address. Nothing is taken from option files or the environment.
 * @throws HoldfastError INVALID_INPUT, without any part of the address in it.
 */
export function parseAddress(url: string): MariadbAddress {
  let parsed: URL;
  let parts: { user: string; password: string; path: string; host: string };
  try {
    parsed = new URL(url);
    parts = {
      user: decodeURIComponent(parsed.username),
      password: decodeURIComponent(parsed.password),
      path: decodeURIComponent(parsed.pathname.slice(1)),
      host: decodeURIComponent(parsed.hostname).replace(/^\[(.*)\]$/, '$1'),
    };
  } catch {
    throw invalid('The address of the MariaDB database is not a valid URL.');
  }
  if (parsed.protocol !== 'mariadb:' && parsed.protocol !== 'mysql:') {
    throw invalid('The address of a MariaDB or MySQL database begins with mariadb:// or mysql://.');
  }
  if (parts.user === '') throw invalid('The address of the MariaDB database names no user.');
  if (parts.path === '') throw invalid('The address of the MariaDB database names no database.');
  const port = Number(parsed.port || '3306');
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalid('The port in the address of the MariaDB database is not a number from 1 to 65535.');
  }
  const sslMode = (parsed.searchParams.get('ssl-mode') || 'PREFERRED').toUpperCase();
  if (!isSslMode(sslMode))
    throw invalid(`The ssl-mode of a MariaDB address is one of ${SSL_MODES.join(', ')}.`);
  return {
    host: parts.host || 'localhost',
    port,
    socket: parsed.searchParams.get('socket') || undefined,
    database: parts.path,
    user: parts.user,
    password: parts.password,
    sslMode,
    sslCa: parsed.searchParams.get('ssl-ca') || undefined,
  };
}

/** The TLS settings of an address; false for none (disabled, or a local socket). */
export async function tlsOptions(address: MariadbAddress): Promise<ConnectionOptions | false> {
  if (address.sslMode === 'DISABLED' || address.socket !== undefined) return false;
  const options: ConnectionOptions = {};
  if (address.sslCa !== undefined) {
    try {
      options.ca = await readFile(address.sslCa);
    } catch (cause) {
      throw new HoldfastError('INVALID_INPUT', 'The file named by ssl-ca cannot be read.', { cause });
    }
  }
  if (address.sslMode === 'VERIFY_IDENTITY') return options;
  return address.sslMode === 'VERIFY_CA'
    ? { ...options, checkServerIdentity: () => undefined }
    : { ...options, rejectUnauthorized: false };
}
