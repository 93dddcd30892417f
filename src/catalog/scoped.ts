/**
 * The client that resolvers get: it reads, and it reads one workspace. Every query is narrowed to the
 * workspace, and so is every list that hangs below a row of it and every count. A reference to a single row
 * needs no narrowing: repositories let rows point inside their own workspace only (references.ts).
 */
import type { Prisma, PrismaClient } from './generated/client.ts';

type ModelName = Prisma.ModelName;
type Filter = Readonly<Record<string, unknown>>;
type Args = {
  [name: string]: unknown;
  where?: unknown;
  include?: unknown;
  select?: unknown;
  AND?: unknown;
};

/** Names of the relations of a model, as Prisma generated them. */
type RelationOf<M extends ModelName> = keyof Prisma.TypeMap['model'][M]['payload']['objects'];

/** What a relation leads to, and whether it is a list. */
interface Relation {
  readonly model: ModelName;
  readonly list: boolean;
}

const one = (model: ModelName): Relation => ({ model, list: false });
const many = (model: ModelName): Relation => ({ model, list: true });

/** Every relation of every model; the compiler insists on completeness. */
const RELATIONS: { readonly [M in ModelName]: Readonly<Record<RelationOf<M>, Relation>> } = {
  Workspace: {
    members: many('Member'),
    sources: many('Source'),
    jobs: many('Job'),
    backups: many('Backup'),
    records: many('Record'),
    uploads: many('Upload'),
    settings: many('Setting'),
    encryptionKeys: many('EncryptionKey'),
    trustedSigners: many('TrustedSigner'),
  },
  Member: { workspace: one('Workspace'), apiKeys: many('ApiKey') },
  ApiKey: { member: one('Member') },
  Source: {
    workspace: one('Workspace'),
    jobs: many('Job'),
    backups: many('Backup'),
    records: many('Record'),
    lock: one('Lock'),
  },
  Job: {
    workspace: one('Workspace'),
    source: one('Source'),
    backups: many('Backup'),
    records: many('Record'),
  },
  Backup: {
    workspace: one('Workspace'),
    source: one('Source'),
    job: one('Job'),
    records: many('Record'),
    certificates: many('Certificate'),
  },
  Certificate: { backup: one('Backup') },
  EncryptionKey: { workspace: one('Workspace') },
  TrustedSigner: { workspace: one('Workspace') },
  Record: {
    workspace: one('Workspace'),
    source: one('Source'),
    job: one('Job'),
    backup: one('Backup'),
    parent: one('Record'),
    children: many('Record'),
    events: many('RecordEvent'),
  },
  RecordEvent: { record: one('Record') },
  Lock: { source: one('Source') },
  Upload: { workspace: one('Workspace') },
  Setting: { workspace: one('Workspace') },
};

/** The condition that puts a row of each model into a workspace. */
const SCOPES: { readonly [M in ModelName]: (workspaceId: string) => Filter } = {
  Workspace: (id) => ({ id }),
  Member: (workspaceId) => ({ workspaceId }),
  ApiKey: (workspaceId) => ({ member: { workspaceId } }),
  Source: (workspaceId) => ({ workspaceId }),
  Job: (workspaceId) => ({ workspaceId }),
  Backup: (workspaceId) => ({ workspaceId }),
  Certificate: (workspaceId) => ({ backup: { workspaceId } }),
  EncryptionKey: (workspaceId) => ({ workspaceId }),
  TrustedSigner: (workspaceId) => ({ workspaceId }),
  Record: (workspaceId) => ({ workspaceId }),
  RecordEvent: (workspaceId) => ({ record: { workspaceId } }),
  Lock: (workspaceId) => ({ source: { workspaceId } }),
  Upload: (workspaceId) => ({ workspaceId }),
  Setting: (workspaceId) => ({ workspaceId }),
};

const READS: ReadonlySet<string> = new Set([
  'findUnique',
  'findUniqueOrThrow',
  'findFirst',
  'findFirstOrThrow',
  'findMany',
  'count',
  'aggregate',
  'groupBy',
]);

function isArgs(value: unknown): value is Args {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `where` and the scope; side by side when their names do not meet, which lets Prisma batch single look-ups. */
function narrow(where: unknown, scope: Filter): Filter {
  if (!isArgs(where)) return scope;
  const meets = Object.keys(scope).some((name) => name in where);
  return meets ? { AND: [where, scope] } : { ...where, ...scope };
}

/** As {@link narrow} for a unique `where`, whose own fields have to stay at the top. */
function narrowUnique(where: unknown, scope: Filter): Filter {
  if (!isArgs(where)) return scope;
  const meets = Object.keys(scope).some((name) => name in where);
  if (!meets) return { ...where, ...scope };
  const others = where.AND === undefined ? [] : [where.AND].flat();
  return { ...where, AND: [...others, scope] };
}

class Scope {
  readonly #workspaceId: string;

  constructor(workspaceId: string) {
    this.#workspaceId = workspaceId;
  }

  /** The arguments of a read of `model`, narrowed at the top and below. */
  readArgs(model: ModelName, operation: string, args: Args): Args {
    const scope = SCOPES[model](this.#workspaceId);
    const unique = operation === 'findUnique' || operation === 'findUniqueOrThrow';
    const where = unique ? narrowUnique(args.where, scope) : narrow(args.where, scope);
    // `select` of an aggregation names numbers, not relations.
    const below = operation.startsWith('find') ? this.#below(model, args) : args;
    return { ...below, where };
  }

  /** Narrows what `include` and `select` reach. */
  #below(model: ModelName, args: Args): Args {
    const narrowed: Args = { ...args };
    for (const name of ['include', 'select'] as const) {
      const chosen = args[name];
      if (isArgs(chosen)) narrowed[name] = this.#fields(model, chosen);
    }
    return narrowed;
  }

  #fields(model: ModelName, chosen: Args): Args {
    const relations: Readonly<Record<string, Relation>> = RELATIONS[model];
    return Object.fromEntries(
      Object.entries(chosen).map(([name, value]) => {
        if (name === '_count') return [name, this.#counts(model, value)];
        const relation = relations[name];
        return [name, relation === undefined ? value : this.#relation(relation, value)];
      }),
    );
  }

  #relation(relation: Relation, value: unknown): unknown {
    if (value !== true && !isArgs(value)) return value;
    const args: Args = value === true ? {} : this.#below(relation.model, value);
    if (!relation.list) return value === true ? true : args;
    return { ...args, where: narrow(args.where, SCOPES[relation.model](this.#workspaceId)) };
  }

  /** `_count: true` counts every list, so every list is named to be narrowed. */
  #counts(model: ModelName, value: unknown): unknown {
    const lists = Object.entries<Relation>(RELATIONS[model]).filter(([, relation]) => relation.list);
    const chosen = isArgs(value) && isArgs(value.select) ? value.select : undefined;
    if (value !== true && chosen === undefined) return value;
    const select = lists
      .filter(([name]) => chosen === undefined || chosen[name] !== undefined)
      .map(([name, relation]) => [
        name,
        this.#relation(relation, chosen === undefined ? true : chosen[name]),
      ]);
    return { select: Object.fromEntries(select) };
  }
}

/** Prisma's models without its ways around them. */
export type ScopedPrisma = Pick<PrismaClient, Prisma.TypeMap['meta']['modelProps'] | '$connect'>;

function isModelName(name: string | undefined): name is ModelName {
  return name !== undefined && Object.hasOwn(RELATIONS, name);
}

/**
 * A client that sees one workspace and changes nothing: rows of other workspaces are not found, not listed and
 * not counted; writes and raw SQL throw.
 */
export function scopeToWorkspace(prisma: PrismaClient, workspaceId: string): ScopedPrisma {
  const scope = new Scope(workspaceId);
  const scoped = prisma.$extends({
    name: 'workspace',
    query: {
      $allOperations({ model, operation, args, query }) {
        if (!isModelName(model) || !READS.has(operation)) {
          throw new Error(`Resolvers only read: ${operation} goes through the engine.`);
        }
        // Prisma types arguments per operation; what is added here is checked against the models above.
        return query(scope.readArgs(model, operation, (args ?? {}) as Args) as typeof args);
      },
    },
  });
  // A query extension changes no shape; Prisma's type for extended clients only hides that.
  return scoped as unknown as ScopedPrisma;
}
