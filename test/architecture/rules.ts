/** The direction of imports, as data. ARCHITECTURE.md says the same in words; change both together. */

/** Paths relative to the repository. One that ends with `/` means the whole folder. */
type Place = string;

/** Files that belong together, and what else of this repository they may import. */
interface Room {
  readonly place: Place;
  /** Besides the room itself. */
  readonly may: readonly Place[];
  /** What only `import type` may name: the shape is known, the code is not. */
  readonly mayAsType?: readonly Place[];
}

const ERRORS = 'src/errors.ts';
/** Frees buffers; for all through whom bytes stream. */
const LET_GO = 'src/let-go.ts';

/** What a source is, for those who back it up and for those who are one. */
const SOURCE_CONTRACTS: readonly Place[] = [
  'src/source/source.ts',
  'src/source/file-trees.ts',
  'src/source/left-out.ts',
  'src/source/schema-script.ts',
];

/** What every kind of database knows of the tools that change its structure. */
const MIGRATION_HISTORIES = 'src/source/database/migration-histories.ts';
const SCRATCH_NAME = 'src/source/database/scratch-name.ts';

/** What the engine knows of the other rooms. */
const CONTRACTS: readonly Place[] = [
  ...SOURCE_CONTRACTS,
  'src/storage/storage.ts',
  'src/catalog/catalog.ts',
  'src/events/record-event.ts',
  'src/events/persisted-events.ts',
  'src/bundle/bundle.ts',
  'src/bundle/manifest.ts',
  'src/bundle/bundle-name.ts',
  'src/bundle/content-digest.ts',
  'src/bundle/sealing.ts',
];

/** The face of the engine. */
const ENGINE_CONTRACTS: readonly Place[] = [
  'src/engine/engine.ts',
  'src/engine/record-result.ts',
  'src/engine/retention.ts',
];

/** A file belongs to the first room whose place covers it. */
export const ROOMS: readonly Room[] = [
  { place: ERRORS, may: [] },
  { place: LET_GO, may: [] },
  { place: 'src/config.ts', may: [ERRORS] },
  { place: 'src/process-identity.ts', may: [ERRORS], mayAsType: ['src/engine/parts.ts'] },
  { place: 'src/app.ts', may: ['src/'] },
  { place: 'src/recover.ts', may: ['src/'] },
  { place: 'src/main.ts', may: ['src/cli/'] },
  // Reads a bundle where there is no server: of the whole program it needs the format alone.
  { place: 'src/cli/inspect.ts', may: [ERRORS, 'src/bundle/', 'src/storage/'] },
  {
    place: 'src/cli/',
    may: [ERRORS, 'src/cli/inspect.ts', 'src/app.ts', 'src/recover.ts', 'src/config.ts', 'client/sdk/'],
  },
  ...SOURCE_CONTRACTS.map((place) => ({ place, may: SOURCE_CONTRACTS })),
  { place: 'src/source/database/row-text/', may: [ERRORS] },
  { place: MIGRATION_HISTORIES, may: [] },
  { place: SCRATCH_NAME, may: [ERRORS] },
  {
    place: 'src/source/database/postgres/',
    may: [
      ERRORS,
      LET_GO,
      ...SOURCE_CONTRACTS,
      'src/source/database/row-text/',
      MIGRATION_HISTORIES,
      SCRATCH_NAME,
    ],
  },
  {
    place: 'src/source/database/sqlite/',
    may: [ERRORS, ...SOURCE_CONTRACTS, MIGRATION_HISTORIES, SCRATCH_NAME],
  },
  {
    place: 'src/source/database/mariadb/',
    may: [ERRORS, ...SOURCE_CONTRACTS, 'src/source/database/row-text/', MIGRATION_HISTORIES, SCRATCH_NAME],
  },
  { place: 'src/source/files/', may: [ERRORS, ...SOURCE_CONTRACTS] },
  { place: 'src/storage/', may: [ERRORS] },
  { place: 'src/bundle/', may: [ERRORS, LET_GO, 'src/storage/storage.ts'] },
  { place: 'src/catalog/', may: [ERRORS, ...SOURCE_CONTRACTS, 'src/bundle/manifest.ts'] },
  { place: 'src/events/', may: [ERRORS, 'src/catalog/catalog.ts'] },
  { place: 'src/engine/', may: [ERRORS, LET_GO, ...CONTRACTS] },
  {
    place: 'src/schema/',
    may: [ERRORS, ...CONTRACTS, ...ENGINE_CONTRACTS, 'src/catalog/scoped.ts'],
    mayAsType: ['src/catalog/generated/'],
  },
  {
    place: 'src/server/',
    may: [ERRORS, ...CONTRACTS, ...ENGINE_CONTRACTS, 'src/catalog/scoped.ts', 'src/events/', 'src/schema/'],
    mayAsType: ['src/catalog/generated/', 'src/catalog/identity.ts'],
  },
  { place: 'client/sdk/', may: [] },
  { place: 'client/', may: ['client/sdk/'] },
  { place: 'test/', may: ['src/', 'client/'] },
  { place: 'bench/', may: ['src/', 'client/', 'test/support/'] },
];

/** Which places of src/ and client/ may import which packages; `@scope/` covers a scope. */
export const PACKAGES: Readonly<Record<string, readonly Place[]>> = {
  'age-encryption': ['src/bundle/seal/'],
  graphql: ['src/schema/', 'src/server/'],
  'graphql-yoga': ['src/server/'],
  '@graphql-yoga/': ['src/server/'],
  '@pothos/': ['src/schema/'],
  '@pothos/plugin-complexity': ['src/schema/', 'src/server/'],
  '@prisma/': ['src/catalog/', 'src/schema/'],
  '@repeaterjs/repeater': ['src/events/'],
  '@graphql-typed-document-node/core': ['client/sdk/'],
  'graphql-ws': ['src/server/', 'client/sdk/'],
  ws: ['src/server/'],
  archiver: ['src/bundle/'],
  unzipper: ['src/bundle/'],
  mariadb: ['src/source/database/mariadb/'],
  pg: ['src/source/database/postgres/'],
  'pg-copy-streams': ['src/source/database/postgres/'],
  'better-sqlite3': ['src/source/database/sqlite/', 'src/catalog/', 'client/demo/'],
  picomatch: ['src/source/files/'],
  pino: ['src/app.ts', 'src/server/'],
  zod: ['src/'],
  'node:zlib': ['src/bundle/'],
  'node:': ['src/', 'client/demo/'],
};

/** Who may read the environment, and for what. Settings come from `config.ts` alone. */
export const ENVIRONMENT_READERS: readonly Place[] = [
  'src/config.ts',
  // Hands PATH and TMPDIR on to its child process, so that nothing else is inherited.
  'src/source/database/sqlite/worker-process.ts',
];

/** Where published code lies: what it imports stands under "dependencies". */
export const PUBLISHED: readonly Place[] = ['src/', 'client/sdk/'];

/** True when `path` is `place` or lies in it. */
export function covers(place: Place, path: string): boolean {
  return place.endsWith('/') ? path.startsWith(place) : path === place;
}
