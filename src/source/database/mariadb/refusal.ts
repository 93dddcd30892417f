/** Turns what the driver and the server throw into errors people can act on, without secrets or rows in them. */
import { SqlError } from 'mariadb';
import { HoldfastError, systemErrorCode } from '../../../errors.ts';

/** What was being done, for the message. */
export interface RefusalContext {
  /** The table as people read it. */
  readonly table?: string;
  /** Anything else that was being made, as `KIND name`. */
  readonly object?: string;
  /** Tables were to be replaced, not only read. */
  readonly restoring?: boolean;
}

/** The server's error number, else undefined. */
export function serverErrorNumber(error: unknown): number | undefined {
  return error instanceof SqlError ? error.errno : undefined;
}

/** Whether an error says that the connection is gone (or never was), so nothing more is to be had from it. */
export function isConnectionLoss(error: unknown): boolean {
  if (error instanceof SqlError) {
    return (
      error.fatal || error.sqlState?.startsWith('08') === true || [1053, 1927, 3169].includes(error.errno)
    );
  }
  return systemErrorCode(error) !== undefined;
}

const SYSTEM_PROBLEMS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'The host name of the database is unknown.',
  EAI_AGAIN: 'The host name of the database cannot be resolved now.',
  ECONNREFUSED: 'No MariaDB server listens at the host and port of the source.',
  ENOENT: 'No MariaDB server listens at the socket of the source.',
  EACCES: 'The socket of the MariaDB server may not be opened.',
  ETIMEDOUT: 'The MariaDB server did not answer in time.',
  EHOSTUNREACH: 'There is no route to the host of the database.',
  ENETUNREACH: 'There is no route to the host of the database.',
  ER_CONNECTION_TIMEOUT: 'The MariaDB server did not answer in time.',
};

/** The error for a connection that could not be made. Names user and database, never the address or the password. */
export function connectRefusal(error: unknown, user: string, database: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const unreachable = (message: string, hint: string): HoldfastError =>
    new HoldfastError('SOURCE_UNREACHABLE', message, { hint, cause: error });
  const code = systemErrorCode(error);
  switch (error instanceof SqlError ? error.errno : 0) {
    case 1045:
    case 1698:
      return unreachable(
        `MariaDB refused user "${user}" or its password.`,
        'Correct the address of the source; the server also looks at the host one comes from.',
      );
    case 1044:
      return unreachable(
        `User "${user}" may not use database "${database}".`,
        `GRANT ALL ON \`${database}\`.* TO the user, or SELECT, SHOW VIEW, TRIGGER, EVENT for backups alone.`,
      );
    case 1049:
      return unreachable(`There is no database "${database}".`, 'Correct the database name in the address.');
    case 1130:
      return unreachable(
        'MariaDB lets nobody in from this host.',
        'Create the user for this host, as in CREATE USER name@host.',
      );
    case 1040:
    case 1203:
    case 1226:
      return unreachable(
        'MariaDB has no free connection left.',
        'Close other connections, or raise max_connections or max_user_connections.',
      );
    default:
  }
  const problem = code === undefined ? undefined : SYSTEM_PROBLEMS[code];
  if (problem !== undefined) {
    return unreachable(problem, 'Check host and port of the source, and that the server is running.');
  }
  if (code === 'ER_SERVER_SSL_DISABLED') {
    return unreachable(
      'The address demands TLS, but the MariaDB server offers none.',
      'Switch TLS on in the server, or set ssl-mode=DISABLED in the address.',
    );
  }
  if (code !== undefined && /CERT|SIGNED|SSL|TLS|ALTNAME/.test(code)) {
    return unreachable(
      `The certificate of the MariaDB server was not accepted (${code}).`,
      'Give the right certificate with ssl-ca=, or relax ssl-mode to REQUIRED.',
    );
  }
  return unreachable(
    `The connection to the MariaDB server could not be made${code === undefined ? '' : ` (${code})`}.`,
    'Check the address of the source, and that a MariaDB or MySQL server answers there.',
  );
}

/** The error for a statement that failed on an open connection. */
export function statementRefusal(error: unknown, context: RefusalContext = {}): unknown {
  if (error instanceof HoldfastError) return error;
  if (isConnectionLoss(error)) {
    return connectionLost(error);
  }
  if (!(error instanceof SqlError)) return error;
  return new HoldfastError(...refusalOf(error, context));
}

/** The error for a connection that is gone. */
export function connectionLost(cause?: unknown): HoldfastError {
  return new HoldfastError('SOURCE_UNREACHABLE', 'The connection to the MariaDB server was lost.', {
    hint: 'Check that the server is running and the network is stable, then try again.',
    cause,
  });
}

type Refusal = [code: HoldfastError['code'], message: string, details: { hint: string; cause: unknown }];

const MISSING = [1017, 1049, 1051, 1054, 1072, 1091, 1146, 1305, 1347, 1356, 1412, 4161];
const DENIED = [1044, 1142, 1143, 1227, 1370, 1419, 1698];
const BUSY = [1205, 1213, 1317, 1969, 3024, 1192, 1099, 1100];
const FULL = [1021, 1114, 1878, 1041];
const READ_ONLY = [1290, 1792, 1836, 1223];
const STRUCTURE = [1005, 1061, 1068, 1101, 1215, 1506, 1822, 1825, 1826, 1901, 1064, 3780];

function refusalOf(error: SqlError, context: RefusalContext): Refusal {
  const { errno } = error;
  const place = context.table === undefined ? context.object : `table ${context.table}`;
  const at = place === undefined ? '' : ` (${place})`;
  const told = shorten(error.sqlMessage ?? '');
  const details = (hint: string) => ({ hint, cause: error });
  if (DENIED.includes(errno)) {
    return [
      context.restoring === true ? 'INVALID_INPUT' : 'SOURCE_UNREACHABLE',
      `The user of the source lacks a privilege${at}: ${told}.`,
      details(
        errno === 1419
          ? 'The server writes a binary log: set log_bin_trust_function_creators = 1 there, or give the user SUPER.'
          : 'GRANT it to the user of the source; a restore needs all privileges on the database.',
      ),
    ];
  }
  if (MISSING.includes(errno)) {
    return [
      'SCHEMA_MISMATCH',
      `The structure of the database is not the expected one${at}: ${told}.`,
      details(
        'A table or column was dropped, renamed or altered meanwhile; try again once that is finished.',
      ),
    ];
  }
  if (BUSY.includes(errno)) {
    return [
      'SOURCE_BUSY',
      `MariaDB gave up waiting for other sessions${at}: ${told}.`,
      details('Try again when the application is quiet, or let the restore end its sessions (endSessions).'),
    ];
  }
  if (FULL.includes(errno)) {
    return [
      'STORAGE_FULL',
      `The disk of the MariaDB server is full${at}: ${told}.`,
      details('Free space on it.'),
    ];
  }
  if (READ_ONLY.includes(errno)) {
    return [
      'INVALID_INPUT',
      'This MariaDB server only allows reading.',
      details('Restore into the primary server, not into a replica.'),
    ];
  }
  if (
    STRUCTURE.includes(errno) ||
    error.sqlState?.startsWith('23') === true ||
    error.sqlState?.startsWith('22')
  ) {
    return [
      'SCHEMA_MISMATCH',
      `The database does not take what the backup holds${at}: ${told}.`,
      details('The rules of the table have changed since the backup, or the bundle was edited.'),
    ];
  }
  return [
    'SOURCE_UNREACHABLE',
    `MariaDB failed${at}: ${told} (error ${errno}).`,
    details("The server's log tells more."),
  ];
}

/** What the server says to a statement that it will always refuse; undefined when trying again may help. */
export function lastingRefusal(error: unknown): string | undefined {
  if (!(error instanceof SqlError) || isConnectionLoss(error)) return undefined;
  const passing = BUSY.includes(error.errno) || FULL.includes(error.errno) || READ_ONLY.includes(error.errno);
  return passing ? undefined : shorten(error.sqlMessage ?? '');
}

function shorten(text: string): string {
  const line = text.replace(/\.$/, '');
  return line.length > 200 ? `${line.slice(0, 200)}…` : line;
}
