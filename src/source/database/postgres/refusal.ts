/** Turns what pg and PostgreSQL throw into errors people can act on, without secrets or rows in them. */
import { DatabaseError } from 'pg';
import { HoldfastError, systemErrorCode } from '../../../errors.ts';

/** What was being done, for the message. */
export interface RefusalContext {
  /** The table as people read it. */
  readonly table?: string;
  /** Tables were to be replaced, not only read. */
  readonly restoring?: boolean;
}

/** Whether an error says that the connection is gone (or never was), so nothing more is to be had from it. */
export function isConnectionLoss(error: unknown): boolean {
  if (error instanceof DatabaseError) {
    return error.code !== undefined && /^(08|57P0[1-5])/.test(error.code);
  }
  if (systemErrorCode(error) !== undefined) return true;
  return (
    error instanceof Error &&
    /^(Connection terminated|Client (was closed|has encountered))/.test(error.message)
  );
}

const SYSTEM_PROBLEMS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'The host name of the database is unknown.',
  EAI_AGAIN: 'The host name of the database cannot be resolved now.',
  ECONNREFUSED: 'No PostgreSQL server listens at the host and port of the source.',
  ENOENT: 'No PostgreSQL server listens at the socket of the source.',
  EACCES: 'The socket of the PostgreSQL server may not be opened.',
  ETIMEDOUT: 'The PostgreSQL server did not answer in time.',
  EHOSTUNREACH: 'There is no route to the host of the database.',
  ENETUNREACH: 'There is no route to the host of the database.',
};

/** The error for a connection that could not be made. Names user and database, never the address or the password. */
export function connectRefusal(error: unknown, user: string, database: string): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const unreachable = (message: string, hint: string): HoldfastError =>
    new HoldfastError('SOURCE_UNREACHABLE', message, { hint, cause: error });
  if (error instanceof DatabaseError) return loginRefusal(error, user, database, unreachable);
  const code = systemErrorCode(error);
  const problem = code === undefined ? undefined : SYSTEM_PROBLEMS[code];
  if (problem !== undefined) {
    return unreachable(problem, 'Check host and port of the source, and that the server is running.');
  }
  const message = error instanceof Error ? error.message : '';
  if (/timeout/.test(message)) {
    return unreachable(
      'The PostgreSQL server did not answer in time.',
      'Check host and port of the source, and firewalls between.',
    );
  }
  if (/does not support SSL/.test(message)) {
    return unreachable(
      'The address demands TLS, but the PostgreSQL server offers none.',
      'Switch TLS on in the server, or set sslmode=disable in the address.',
    );
  }
  if (code !== undefined && /CERT|SIGNED|SSL|TLS|ALTNAME/.test(code)) {
    return unreachable(
      `The certificate of the PostgreSQL server was not accepted (${code}).`,
      'Give the right certificate with sslrootcert=, or relax sslmode to require.',
    );
  }
  return unreachable(
    'The connection to the PostgreSQL server could not be made.',
    'Check the address of the source, and that a PostgreSQL server answers there.',
  );
}

function loginRefusal(
  error: DatabaseError,
  user: string,
  database: string,
  unreachable: (message: string, hint: string) => HoldfastError,
): HoldfastError {
  switch (error.code) {
    case '28P01':
      return unreachable(
        `PostgreSQL refused the password of user "${user}".`,
        'Correct the address of the source.',
      );
    case '28000':
      return /no encryption|no pg_hba/.test(error.message)
        ? unreachable(
            `PostgreSQL does not let user "${user}" into database "${database}" from this host, or not without TLS.`,
            'Add a line for this user and host to pg_hba.conf, or demand TLS with ?sslmode=require.',
          )
        : unreachable(`PostgreSQL refused user "${user}".`, 'Check that the role exists and may log in.');
    case '3D000':
      return unreachable(`There is no database "${database}".`, 'Correct the database name in the address.');
    case '42501':
      return unreachable(
        `User "${user}" may not connect to database "${database}".`,
        `GRANT CONNECT ON DATABASE "${database}" TO "${user}".`,
      );
    case '53300':
      return unreachable(
        'PostgreSQL has no free connection left.',
        'Close other connections, or raise max_connections.',
      );
    case '57P03':
      return unreachable('The PostgreSQL server is starting up or shutting down.', 'Try again in a moment.');
    default:
      return unreachable(
        `PostgreSQL refused the connection (${error.code ?? 'no code'}).`,
        "The server's log tells the reason.",
      );
  }
}

/** The error for a statement that failed on an open connection. */
export function statementRefusal(error: unknown, context: RefusalContext = {}): unknown {
  if (error instanceof HoldfastError) return error;
  if (isConnectionLoss(error)) {
    return new HoldfastError('SOURCE_UNREACHABLE', 'The connection to the PostgreSQL server was lost.', {
      hint: 'Check that the server is running and the network is stable, then try again.',
      cause: error,
    });
  }
  if (!(error instanceof DatabaseError)) return error;
  return new HoldfastError(...refusalOf(error, context));
}

type Refusal = [code: HoldfastError['code'], message: string, details: { hint: string; cause: unknown }];

function refusalOf(error: DatabaseError, context: RefusalContext): Refusal {
  const state = error.code ?? '';
  const table = context.table ?? labelOf(error);
  const at = table === undefined ? '' : ` (table ${table})`;
  const details = (hint: string) => ({ hint, cause: error });
  if (state === '42501') return permissionRefusal(error, table, context.restoring === true);
  if (['42P01', '42703', '3F000', '42704'].includes(state)) {
    return [
      'SCHEMA_MISMATCH',
      `The structure of the database is not the expected one${at}: ${error.message}.`,
      details(
        'A table, column or schema was dropped or renamed meanwhile; try again once the change is finished.',
      ),
    ];
  }
  if (state.startsWith('23')) return constraintRefusal(error, table);
  if (state.startsWith('22')) {
    return [
      'SCHEMA_MISMATCH',
      `${placeOf(error, table)}: the database does not take the value (SQLSTATE ${state}).`,
      details('The type of the column has changed since the backup, or the bundle was edited.'),
    ];
  }
  if (['55P03', '40P01', '57014', '55006', '40001'].includes(state)) {
    return [
      'SOURCE_BUSY',
      `PostgreSQL gave up waiting for other sessions${at}: ${error.message}.`,
      details('Try again when the application is quiet, or let the restore end its sessions (endSessions).'),
    ];
  }
  if (state === '53100') {
    return ['STORAGE_FULL', `The disk of the PostgreSQL server is full${at}.`, details('Free space on it.')];
  }
  if (state === '53200') {
    return [
      'SOURCE_UNREACHABLE',
      `The PostgreSQL server ran out of shared memory${at}.`,
      details('A database with very many tables needs a larger max_locks_per_transaction.'),
    ];
  }
  if (state === '25006') {
    return [
      'INVALID_INPUT',
      'This PostgreSQL server only allows reading.',
      details('Restore into the primary server, not into a standby.'),
    ];
  }
  return [
    'SOURCE_UNREACHABLE',
    `PostgreSQL failed${at}: ${error.message} (SQLSTATE ${state}).`,
    details("The server's log tells more."),
  ];
}

function permissionRefusal(error: DatabaseError, table: string | undefined, restoring: boolean): Refusal {
  if (/row-level security/.test(error.message)) {
    return [
      'SOURCE_UNREACHABLE',
      `Row-level security hides rows of table ${table ?? quotedIn(error.message)} from this user; a backup would lack them.`,
      {
        hint: 'ALTER ROLE … BYPASSRLS for the user of the source, or use the owner of the table.',
        cause: error,
      },
    ];
  }
  if (restoring || /must be owner/.test(error.message)) {
    return [
      'INVALID_INPUT',
      `The user of the source may not replace ${table ?? quotedIn(error.message)}: ${error.message}.`,
      { hint: 'A restore has to connect as the owner of the tables.', cause: error },
    ];
  }
  const what = table ?? quotedIn(error.message);
  return [
    'SOURCE_UNREACHABLE',
    `The user of the source may not use ${what}: ${error.message}.`,
    {
      hint: `As the owner: GRANT USAGE ON SCHEMA … and GRANT SELECT ON ${what} (or on all tables and sequences of the schema) TO the user.`,
      cause: error,
    },
  ];
}

function constraintRefusal(error: DatabaseError, table: string | undefined): Refusal {
  const constraint = error.constraint === undefined ? '' : ` breaks "${error.constraint}"`;
  const column =
    error.code === '23502' && error.column !== undefined ? ` has no value in "${error.column}"` : '';
  // Only keys name the row; the detail of other constraints holds the whole row, which belongs in no message.
  const key = error.code === '23503' || error.code === '23505' ? ` ${shorten(error.detail ?? '')}` : '';
  return [
    'SCHEMA_MISMATCH',
    `${placeOf(error, table)}${constraint}${column}.${key}`.trimEnd(),
    {
      hint: 'The rules of the table have changed since the backup, or rows outside the restore do not fit; restore the tables that belong together.',
      cause: error,
    },
  ];
}

/** "Row 3 of table public.t, column b": from `CONTEXT: COPY t, line 3, column b: "value"`, without the value. */
function placeOf(error: DatabaseError, table: string | undefined): string {
  const copy = /COPY .+?, line (\d+)(?:, column ([^:]+))?/.exec(error.where ?? '');
  const of = `table ${table ?? 'unknown'}`;
  if (copy === null) return `A row of ${of}`;
  return `Row ${copy[1]} of ${of}${copy[2] === undefined ? '' : `, column "${copy[2]}"`}`;
}

function labelOf(error: DatabaseError): string | undefined {
  if (error.table === undefined) return undefined;
  return error.schema === undefined ? error.table : `${error.schema}.${error.table}`;
}

function quotedIn(message: string): string {
  return (
    /"([^"]+)"/.exec(message)?.[1] ?? /(?:relation|table|sequence|schema) (\S+)/.exec(message)?.[1] ?? 'it'
  );
}

function shorten(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
