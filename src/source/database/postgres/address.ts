/** Reads a PostgreSQL address (`postgresql://user:password@host:port/database?sslmode=…`) the way libpq does. */
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import type { ClientConfig } from 'pg';
import { HoldfastError } from '../../../errors.ts';

const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'no-verify', 'verify-ca', 'verify-full'] as const;
type SslMode = (typeof SSL_MODES)[number];

/** Where a database is and how to get in. Holds the password: never print it. */
export interface PostgresAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly sslMode: SslMode;
  readonly sslRootCertificate: string | undefined;
  readonly options: string | undefined;
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('INVALID_INPUT', message, {
    hint: 'Write it as postgresql://user:password@host:5432/database, special characters percent-encoded.',
  });
}

function isSslMode(text: string): text is SslMode {
  return SSL_MODES.some((mode) => mode === text);
}

/**
 * Parses an address. Nothing is taken from the environment of the server (PGPASSWORD, ~/.pgpass, …): a source
 * must not come by credentials that are not its own.
 * @throws HoldfastError INVALID_INPUT, without any part of the address in it.
 */
export function parseAddress(url: string): PostgresAddress {
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
    throw invalid('The address of the PostgreSQL database is not a valid URL.');
  }
  if (parsed.protocol !== 'postgresql:' && parsed.protocol !== 'postgres:') {
    throw invalid('The address of a PostgreSQL database begins with postgresql://.');
  }
  const parameter = (name: string): string | undefined => parsed.searchParams.get(name) || undefined;
  const user = parameter('user') ?? parts.user;
  if (user === '') throw invalid('The address of the PostgreSQL database names no user.');
  const port = Number(parameter('port') ?? (parsed.port || '5432'));
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw invalid('The port in the address of the PostgreSQL database is not a number from 1 to 65535.');
  }
  const sslMode = parameter('sslmode') ?? 'prefer';
  if (!isSslMode(sslMode))
    throw invalid(`The sslmode of a PostgreSQL address is one of ${SSL_MODES.join(', ')}.`);
  if (parameter('sslcert') !== undefined || parameter('sslkey') !== undefined) {
    throw invalid('Client certificates (sslcert, sslkey) are not supported for PostgreSQL.');
  }
  return {
    host: parameter('host') ?? (parts.host || 'localhost'),
    port,
    database: parameter('dbname') ?? (parts.path || user),
    user,
    password: parameter('password') ?? parts.password,
    sslMode,
    sslRootCertificate: parameter('sslrootcert'),
    options: parameter('options'),
  };
}

/** True when TLS is worth a try but its refusal by the server is no reason to give up. */
export function mayFallBackToPlain(address: PostgresAddress): boolean {
  return address.sslMode === 'prefer' || address.sslMode === 'allow';
}

/** The TLS settings of an address; false for none (disabled, or a local socket). */
export async function tlsOptions(address: PostgresAddress): Promise<ConnectionOptions | false> {
  if (address.sslMode === 'disable' || address.host.startsWith('/')) return false;
  const options: ConnectionOptions = {};
  if (address.sslRootCertificate !== undefined && address.sslRootCertificate !== 'system') {
    try {
      options.ca = await readFile(address.sslRootCertificate);
    } catch (cause) {
      throw new HoldfastError('INVALID_INPUT', 'The file named by sslrootcert cannot be read.', { cause });
    }
  }
  if (address.sslMode === 'verify-full') return options;
  // As in libpq: `require` with a root certificate checks the chain, like `verify-ca`, but not the host name.
  const checksChain =
    address.sslMode === 'verify-ca' || (address.sslMode === 'require' && options.ca !== undefined);
  return checksChain
    ? { ...options, checkServerIdentity: () => undefined }
    : { ...options, rejectUnauthorized: false };
}

/** The settings pg's client takes. */
export function clientConfig(
  address: PostgresAddress,
  ssl: ConnectionOptions | false,
  connectTimeoutMs: number,
): ClientConfig {
  return {
    host: address.host,
    port: address.port,
    database: address.database,
    user: address.user,
    // A function, even for no password: pg would fall back to PGPASSWORD and ~/.pgpass for an empty string.
    password: () => address.password,
    ssl,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    application_name: 'holdfast',
    client_encoding: 'UTF8',
    ...(address.options === undefined ? {} : { options: address.options }),
  };
}
