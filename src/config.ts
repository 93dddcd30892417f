/** The only reader of the environment. Every key is documented in CONFIG_KEYS, from which docs/operations.md is made. */
import { readFileSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { HoldfastError } from './errors.ts';

/** What the server can be told, with its default and meaning. */
export const CONFIG_KEYS = {
  HOLDFAST_DATA: [
    './holdfast-data',
    'Directory of the catalog, the instance key, the journal and, unless set, the bundles.',
  ],
  HOLDFAST_STORAGE: ['<data>/bundles', 'Directory the bundles are stored in.'],
  HOLDFAST_ROOTS: [
    '(none)',
    'Directories, separated by colons, that databases, trees and env files may lie in.',
  ],
  HOLDFAST_HOST: [
    '127.0.0.1',
    'Address the server listens on. Put a TLS proxy in front before you open it up.',
  ],
  HOLDFAST_PORT: ['4400', 'Port the server listens on; 0 takes a free one.'],
  HOLDFAST_PUBLIC_URL: [
    'http://<host>:<port>',
    'Where clients reach the server; download links begin with it.',
  ],
  HOLDFAST_INSTANCE_KEY: [
    '(a file)',
    'Key that seals secrets, 32 bytes in base64 or hex. Without it, <data>/instance.key is made.',
  ],
  HOLDFAST_KIT_PASSPHRASE: ['(none)', 'Passphrase of the recovery kit, for `holdfast recover` alone.'],
  HOLDFAST_UPLOAD_LIMIT_BYTES: ['10737418240', 'Largest upload, bytes (10 GiB).'],
  HOLDFAST_RECONCILE_MINUTES: [
    '60',
    'How often the catalog is compared with the storage, minutes, besides at the start; 0 only then.',
  ],
  HOLDFAST_DEVELOPMENT: ['false', 'true serves GraphiQL at /graphql.'],
  HOLDFAST_LOG_LEVEL: ['info', 'fatal, error, warn, info, debug, trace or silent.'],
} as const satisfies Record<`HOLDFAST_${string}`, readonly [fallback: string, meaning: string]>;

/** The validated configuration. Paths are absolute. */
export interface Config {
  readonly dataDirectory: string;
  readonly storageDirectory: string;
  readonly roots: readonly string[];
  readonly host: string;
  readonly port: number;
  /** Undefined: made from the address the server really listens on. */
  readonly publicUrl: string | undefined;
  readonly instanceKey: string | undefined;
  /** Opens the kit of `holdfast recover`; the server has no use for it. */
  readonly kitPassphrase: string | undefined;
  readonly uploadLimitBytes: number;
  /** Between two comparisons of catalog and storage; 0 for the one at the start alone. */
  readonly reconcileMinutes: number;
  readonly development: boolean;
  readonly logLevel: string;
  readonly version: string;
}

const schema = z.object({
  HOLDFAST_DATA: z.string().min(1).default('./holdfast-data'),
  HOLDFAST_STORAGE: z.string().min(1).optional(),
  HOLDFAST_ROOTS: z.string().default(''),
  HOLDFAST_HOST: z.string().min(1).default('127.0.0.1'),
  HOLDFAST_PORT: z.coerce.number().int().min(0).max(65_535).default(4400),
  HOLDFAST_PUBLIC_URL: z.url({ protocol: /^https?$/ }).optional(),
  HOLDFAST_INSTANCE_KEY: z.string().min(1).optional(),
  HOLDFAST_KIT_PASSPHRASE: z.string().min(1).optional(),
  HOLDFAST_UPLOAD_LIMIT_BYTES: z.coerce
    .number()
    .int()
    .positive()
    .default(10 * 1024 ** 3),
  HOLDFAST_RECONCILE_MINUTES: z.coerce
    .number()
    .int()
    .min(0)
    .max(7 * 24 * 60)
    .default(60),
  HOLDFAST_DEVELOPMENT: z.enum(['true', 'false']).default('false'),
  HOLDFAST_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

/**
 * Reads and checks the configuration.
 * @throws HoldfastError INVALID_INPUT naming the key, never its value
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const unknown = Object.keys(environment).find(
    (key) => key.startsWith('HOLDFAST_') && !(key in CONFIG_KEYS),
  );
  if (unknown !== undefined) {
    throw new HoldfastError('INVALID_INPUT', `${unknown} is no setting of Holdfast.`, {
      hint: `The settings are ${Object.keys(CONFIG_KEYS).join(', ')}.`,
    });
  }
  const parsed = schema.safeParse(environment);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new HoldfastError('INVALID_INPUT', `${issue?.path.join('.')}: ${issue?.message}.`, {
      hint: 'docs/operations.md describes every setting.',
    });
  }
  const values = parsed.data;
  const dataDirectory = resolve(values.HOLDFAST_DATA);
  return {
    dataDirectory,
    storageDirectory: resolve(values.HOLDFAST_STORAGE ?? `${dataDirectory}/bundles`),
    roots: readRoots(values.HOLDFAST_ROOTS),
    host: values.HOLDFAST_HOST,
    port: values.HOLDFAST_PORT,
    publicUrl: values.HOLDFAST_PUBLIC_URL?.replace(/\/+$/, ''),
    instanceKey: values.HOLDFAST_INSTANCE_KEY,
    kitPassphrase: values.HOLDFAST_KIT_PASSPHRASE,
    uploadLimitBytes: values.HOLDFAST_UPLOAD_LIMIT_BYTES,
    reconcileMinutes: values.HOLDFAST_RECONCILE_MINUTES,
    development: values.HOLDFAST_DEVELOPMENT === 'true',
    logLevel: values.HOLDFAST_LOG_LEVEL,
    version: programVersion(),
  };
}

/**
 * The configuration, with what the command line says instead of the environment.
 * @throws HoldfastError as {@link readConfig} does
 */
export function readConfigWith(
  instead: Partial<Record<keyof typeof CONFIG_KEYS, string | undefined>>,
): Config {
  const said = Object.entries(instead).filter(([, value]) => value !== undefined);
  return readConfig({ ...process.env, ...Object.fromEntries(said) });
}

function readRoots(text: string): string[] {
  const roots = text.split(':').filter((root) => root !== '');
  const relative = roots.find((root) => !isAbsolute(root));
  if (relative !== undefined) {
    throw new HoldfastError('INVALID_INPUT', `HOLDFAST_ROOTS: ${relative} is not an absolute path.`);
  }
  return roots.map((root) => resolve(root));
}

/** The version on package.json, which stands one folder up from src/ and two from dist/src/. */
function programVersion(): string {
  const depth = import.meta.url.endsWith('.ts') ? '..' : '../..';
  const text = readFileSync(new URL(`${depth}/package.json`, import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
