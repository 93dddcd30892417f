/** The scalars. */
import { Kind } from 'graphql';
import { HoldfastError } from '../errors.ts';
import { builder } from './builder.ts';

function invalid(message: string): HoldfastError {
  return new HoldfastError('INVALID_INPUT', message);
}

const ISO_DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

function parseDateTime(value: unknown): Date {
  const date = typeof value === 'string' && ISO_DATE_TIME.test(value) ? new Date(value) : undefined;
  if (date === undefined || Number.isNaN(date.getTime())) {
    throw invalid('A DateTime is an ISO 8601 string with a time zone, for example "2026-01-31T12:00:00Z".');
  }
  return date;
}

builder.scalarType('DateTime', {
  description: 'A moment, as an ISO 8601 string in UTC, for example "2026-01-31T12:00:00.000Z".',
  serialize: (value) => (value instanceof Date ? value : new Date(value)).toISOString(),
  parseValue: parseDateTime,
  parseLiteral: (node) => parseDateTime(node.kind === Kind.STRING ? node.value : undefined),
});

function parseBigInt(value: unknown): bigint {
  if (typeof value === 'string' && /^-?\d{1,19}$/.test(value)) return BigInt(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  throw invalid('A BigInt is a whole number as a string of digits, for example "9007199254740993".');
}

builder.scalarType('BigInt', {
  description: 'A whole number of up to 64 bits, as a string, so that no digit is lost: bytes and counts.',
  serialize: (value) => value.toString(),
  parseValue: parseBigInt,
  parseLiteral: (node) =>
    parseBigInt(node.kind === Kind.STRING || node.kind === Kind.INT ? node.value : undefined),
});

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
});
