/** Sources in the catalog. Connection strings are sealed here and opened here, and stand in clear nowhere else. */
import { HoldfastError } from '../errors.ts';
import type { FileTree } from '../source/file-trees.ts';
import type { ClearedColumns, TableName } from '../source/source.ts';
import type { DatabaseSettings, SourceDefinition, SourceRepository, SourceRow } from './catalog.ts';
import type { PrismaClient, Source } from './generated/client.ts';
import { isMissingRow, isUniqueViolation } from './prisma-errors.ts';
import { parseList, toJson } from './rows.ts';
import type { SecretPlace, Secrets } from './secrets.ts';

function placeOfUrl(id: string): SecretPlace {
  return { table: 'Source', id, field: 'databaseSecret' };
}

function placeOfDrillUrl(id: string): SecretPlace {
  return { table: 'Source', id, field: 'drillSecret' };
}

/** What of a database may be shown: never a user, a password or an option. */
function databaseLabel(database: DatabaseSettings | null): string | null {
  if (database === null) return null;
  if (database.kind === 'SQLITE') return database.path;
  const [product, port] = database.kind === 'MARIADB' ? ['MariaDB', '3306'] : ['PostgreSQL', '5432'];
  if (!URL.canParse(database.url)) return product;
  const url = new URL(database.url);
  const host = url.hostname || (url.searchParams.get('host') ?? 'localhost');
  return `${host}:${url.port || port}${url.pathname}`;
}

function databaseSettings(row: Source, secrets: Secrets): DatabaseSettings | null {
  switch (row.databaseKind) {
    case null:
      return null;
    case 'SQLITE':
      if (row.databaseLabel === null) throw new Error(`Source ${row.id} has lost the path of its database.`);
      return { kind: 'SQLITE', path: row.databaseLabel };
    case 'POSTGRESQL':
    case 'MARIADB':
      if (row.databaseSecret === null) throw new Error(`Source ${row.id} has lost its connection string.`);
      return { kind: row.databaseKind, url: secrets.open(row.databaseSecret, placeOfUrl(row.id)) };
  }
}

/** A source of Prisma as a source of the contract. */
export function toSourceRow(row: Source, secrets: Secrets): SourceRow {
  return {
    id: row.id,
    workspaceId: row.workspaceId,
    name: row.name,
    createdAt: row.createdAt,
    database: databaseSettings(row, secrets),
    excludedTables: parseList<TableName>(row.excludedTables, 'excludedTables'),
    clearedColumns: parseList<ClearedColumns>(row.clearedColumns, 'clearedColumns'),
    trees: parseList<FileTree>(row.trees, 'trees'),
    configTrees: parseList<FileTree>(row.configTrees, 'configTrees'),
    envFile: row.envFilePath === null ? null : { path: row.envFilePath, restorePath: row.envRestorePath },
    drill: {
      url: row.drillSecret === null ? null : secrets.open(row.drillSecret, placeOfDrillUrl(row.id)),
      onOwnServer: row.drillOnOwnServer,
    },
  };
}

/** The server of drills as it may be shown. */
function drillLabel({ database, drill }: SourceDefinition): string | null {
  if (drill === undefined || drill.url === null || database === null || database.kind === 'SQLITE')
    return null;
  return databaseLabel({ kind: database.kind, url: drill.url });
}

/** Everything but the sealed connection strings, which need the row's id. */
export function toColumns(definition: SourceDefinition) {
  return {
    name: definition.name,
    databaseKind: definition.database?.kind ?? null,
    databaseLabel: databaseLabel(definition.database),
    excludedTables: toJson(definition.excludedTables),
    clearedColumns: toJson(definition.clearedColumns),
    trees: toJson(definition.trees),
    configTrees: toJson(definition.configTrees),
    envFilePath: definition.envFile?.path ?? null,
    envRestorePath: definition.envFile?.restorePath ?? null,
    drillLabel: drillLabel(definition),
    drillOnOwnServer: definition.drill?.onOwnServer ?? false,
  };
}

/** The columns of the sealed connection strings, which are bound to the row. */
export function sealedUrls({ database, drill }: SourceDefinition, id: string, secrets: Secrets) {
  const databaseUrl = database === null || database.kind === 'SQLITE' ? null : database.url;
  return {
    databaseSecret: databaseUrl === null ? null : secrets.seal(databaseUrl, placeOfUrl(id)),
    drillSecret: drill?.url ? secrets.seal(drill.url, placeOfDrillUrl(id)) : null,
  };
}

function nameTaken(name: string, cause: unknown): HoldfastError {
  return new HoldfastError('INVALID_INPUT', `A source named "${name}" exists already.`, {
    field: 'name',
    hint: 'Choose another name.',
    cause,
  });
}

/** The sources of the catalog. */
export function prismaSources(prisma: PrismaClient, secrets: Secrets): SourceRepository {
  return {
    async find(workspaceId, id) {
      const row = await prisma.source.findFirst({ where: { id, workspaceId } });
      return row === null ? undefined : toSourceRow(row, secrets);
    },

    async create(workspaceId, definition) {
      try {
        const row = await prisma.$transaction(async (tx) => {
          const { id } = await tx.source.create({ data: { workspaceId, ...toColumns(definition) } });
          return tx.source.update({ where: { id }, data: sealedUrls(definition, id, secrets) });
        });
        return toSourceRow(row, secrets);
      } catch (error) {
        throw isUniqueViolation(error) ? nameTaken(definition.name, error) : error;
      }
    },

    async update(workspaceId, id, definition) {
      try {
        const row = await prisma.source.update({
          where: { id, workspaceId },
          data: { ...toColumns(definition), ...sealedUrls(definition, id, secrets) },
        });
        return toSourceRow(row, secrets);
      } catch (error) {
        if (isMissingRow(error)) throw new HoldfastError('NOT_FOUND', `There is no source ${id}.`);
        throw isUniqueViolation(error) ? nameTaken(definition.name, error) : error;
      }
    },

    async delete(workspaceId, id) {
      const { count } = await prisma.source.deleteMany({ where: { id, workspaceId } });
      return count > 0;
    },
  };
}
