/** Answers of the plain HTTP routes: JSON, and errors with the codes of the API. */
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { type ErrorCode, HoldfastError } from '../errors.ts';
import { closeIfUnread } from './drain.ts';

const STATUS: Partial<Record<ErrorCode, number>> = {
  UNAUTHENTICATED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  INVALID_INPUT: 400,
  RATE_LIMITED: 429,
  LOCK_HELD: 409,
  STORAGE_FULL: 507,
  STORAGE_UNAVAILABLE: 503,
  INTERNAL: 500,
};

/** The HTTP status that goes with a code. */
export function statusOf(code: ErrorCode): number {
  return STATUS[code] ?? 422;
}

/** What callers are told of an error: a refusal as it stands, anything else masked and logged under an id. */
export function tellable(error: unknown, log: Logger): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const errorId = randomUUID();
  log.error({ errorId, err: error }, 'internal error');
  return new HoldfastError('INTERNAL', `Something went wrong inside Holdfast (error ${errorId}).`, {
    hint: 'The log of the server has the details under this id.',
  });
}

/** Sends JSON, unless the answer has begun or the caller is gone. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent || response.destroyed) return;
  const text = JSON.stringify(body);
  closeIfUnread(response.req, response);
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(response.req.method === 'HEAD' ? undefined : text);
}

/** Headers that go with a refusal. */
export function setRefusalHeaders(response: ServerResponse, code: ErrorCode): void {
  if (response.headersSent) return;
  if (code === 'UNAUTHENTICATED') response.setHeader('WWW-Authenticate', 'Bearer realm="holdfast"');
  if (code === 'RATE_LIMITED') response.setHeader('Retry-After', '60');
}

/** Sends `{ error: { code, message, hint } }`. An answer that has begun is broken off instead. */
export function sendError(
  response: ServerResponse,
  error: HoldfastError,
  status = statusOf(error.code),
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  setRefusalHeaders(response, error.code);
  const { code, message, hint } = error;
  sendJson(response, status, { error: { code, message, hint: hint ?? null } });
}
