/** What a recovery kit says: `kit.json`, made from the state of a workspace and read back from bytes. */
import { z } from 'zod';
import type { WorkspaceState } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { InstanceSigner } from './engine.ts';

/** The version this program writes, and the only one it reads. */
export const KIT_VERSION = 1;

/** The files in a kit. */
export const KIT_FILES = {
  guide: 'RECOVER.md',
  contents: 'kit.json',
  keys: 'keys.txt',
  script: 'open-bundle.mjs',
} as const;

const date = z.iso.datetime().transform((text) => new Date(text));
const nullableDate = date.nullable();
const bytes32 = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'is no base64 of 32 bytes');
const fingerprint = z.string().regex(/^[0-9a-f]{64}$/);
const tableName = z.object({ schema: z.string().nullable(), name: z.string() });
const fileTree = z.object({
  name: z.string(),
  path: z.string(),
  include: z.array(z.string()),
  exclude: z.array(z.string()),
});

const signerSchema = z.object({ fingerprint, publicKey: bytes32 });

const kitSchema = z.object({
  kitVersion: z.literal(KIT_VERSION),
  createdAt: date,
  tool: z.object({ name: z.literal('holdfast'), version: z.string() }),
  /** Of the instance that made it; what it signed is trusted by the one that is made from the kit. */
  signer: signerSchema,
  /** Settings of the server as it ran, for people. */
  environment: z.record(z.string(), z.string()),
  // It becomes the name of a folder.
  workspace: z.object({ id: z.uuid(), name: z.string(), createdAt: date }),
  encryptionKeys: z.array(
    z.object({
      id: z.string().min(1),
      key: bytes32.transform((text) => Buffer.from(text, 'base64')),
      createdAt: date,
      retiredAt: nullableDate,
    }),
  ),
  sources: z.array(
    z.object({
      id: z.string().min(1),
      name: z.string(),
      createdAt: date,
      database: z
        .discriminatedUnion('kind', [
          z.object({ kind: z.literal('SQLITE'), path: z.string() }),
          z.object({ kind: z.literal('POSTGRESQL'), url: z.string() }),
          z.object({ kind: z.literal('MARIADB'), url: z.string() }),
        ])
        .nullable(),
      excludedTables: z.array(tableName),
      clearedColumns: z.array(z.object({ table: tableName, columns: z.array(z.string()) })),
      trees: z.array(fileTree),
      configTrees: z.array(fileTree),
      envFile: z.object({ path: z.string(), restorePath: z.string().nullable() }).nullable(),
      drill: z.object({ url: z.string().nullable(), onOwnServer: z.boolean() }),
    }),
  ),
  jobs: z.array(
    z.object({
      id: z.string().min(1),
      sourceId: z.string(),
      name: z.string(),
      enabled: z.boolean(),
      schedule: z.string().nullable(),
      timezone: z.string(),
      selection: z.json(),
      retention: z.json(),
      createdAt: date,
    }),
  ),
  trustedSigners: z.array(signerSchema.extend({ name: z.string(), createdAt: date })),
  settings: z.array(z.object({ key: z.string(), value: z.json() })),
});

/** All that can be expected of a kit of any version. */
const anyVersion = z.object({ kitVersion: z.int().positive() });

/** What stands in a kit besides the state of its workspace. */
export interface KitOrigin {
  readonly createdAt: Date;
  /** Version of the program. */
  readonly version: string;
  readonly signer: InstanceSigner;
  readonly environment: Readonly<Record<string, string>>;
}

/** A kit that was read. */
export interface RecoveryKitContents {
  readonly origin: KitOrigin;
  readonly state: WorkspaceState;
}

/** Drills of a source that says nothing of them. */
const NO_DRILL = { url: null, onOwnServer: false };

/** `kit.json`. It went through its own reader: a kit that can be made but not read would be the worst of all. */
export function writeKit({ origin, state }: RecoveryKitContents): Buffer {
  const { version, ...rest } = origin;
  const whole = {
    kitVersion: KIT_VERSION,
    tool: { name: 'holdfast', version },
    ...rest,
    ...state,
    encryptionKeys: withTextOfKeys(state.encryptionKeys),
    sources: state.sources.map((source) => ({ ...source, drill: source.drill ?? NO_DRILL })),
  };
  // As JSON has it, and without what the schema does not name.
  const kit = kitSchema.parse(JSON.parse(JSON.stringify(whole)));
  const text = JSON.stringify({ ...kit, encryptionKeys: withTextOfKeys(kit.encryptionKeys) }, null, 2);
  return Buffer.from(`${text}\n`);
}

/** `keys.txt`, as tools/open-bundle.mjs reads it. */
export function writeKeys(keys: WorkspaceState['encryptionKeys']): Buffer {
  const lines = withTextOfKeys(keys).map(({ id, key }) => `${id} ${key}\n`);
  return Buffer.from(`# <key id> <32 bytes in base64>\n${lines.join('')}`);
}

/**
 * Reads `kit.json`; the version is looked at before anything else.
 * @throws HoldfastError FORMAT_TOO_NEW, INVALID_INPUT (it repeats nothing of what the kit holds)
 */
export function readKit(json: Buffer | undefined): RecoveryKitContents {
  const value = parsed(json);
  const loose = anyVersion.safeParse(value);
  if (!loose.success) throw malformed('it tells no version');
  const { kitVersion } = loose.data;
  if (kitVersion !== KIT_VERSION) {
    throw new HoldfastError(
      'FORMAT_TOO_NEW',
      `The recovery kit has version ${kitVersion}; this Holdfast reads version ${KIT_VERSION}.`,
      { hint: 'Recover with the Holdfast that made the kit, or a newer one.' },
    );
  }
  const kit = kitSchema.safeParse(value);
  if (!kit.success) throw malformed(`at ${kit.error.issues[0]?.path.join('.') || 'its top'}`);
  const { createdAt, tool, signer, environment, ...state } = kit.data;
  return { origin: { createdAt, version: tool.version, signer, environment }, state };
}

function withTextOfKeys<Row extends { readonly key: Buffer }>(rows: readonly Row[]) {
  return rows.map((row) => ({ ...row, key: row.key.toString('base64') }));
}

function parsed(json: Buffer | undefined): unknown {
  if (json === undefined) throw malformed(`it holds no ${KIT_FILES.contents}`);
  try {
    return JSON.parse(json.toString());
  } catch {
    // The cause would quote what stands there.
    throw malformed(`${KIT_FILES.contents} is no JSON`);
  }
}

function malformed(what: string): HoldfastError {
  return new HoldfastError('INVALID_INPUT', `The recovery kit cannot be read: ${what}.`, {
    hint: 'It was not made by Holdfast, or was edited. Take another copy.',
  });
}
