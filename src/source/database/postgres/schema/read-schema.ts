/** Makes the script of a database from its catalog. */
import type { LeftOut } from '../../../left-out.ts';
import type { SchemaScript, SchemaStatement } from '../../../schema-script.ts';
import type { PostgresSession } from '../session.ts';
import { readCollations } from './collations.ts';
import { readComments } from './comments.ts';
import { extensionMembers, readDependencies, resolveNeeds } from './dependencies.ts';
import { readDomains } from './domains.ts';
import { readForeignServers } from './foreign-servers.ts';
import { readIndexes, readStatistics } from './indexes.ts';
import { readExtensions, readSchemas } from './namespaces.ts';
import { readNotCarried } from './not-carried.ts';
import { readCasts, readOperators, readUnsupported } from './operators.ts';
import { beforeRows, orderObjects } from './order.ts';
import { readPolicies } from './policies.ts';
import { readPrivileges } from './privileges.ts';
import { readRoutines } from './routines.ts';
import type { Address, Inventory, SchemaObject } from './schema-object.ts';
import { readSchemaSequences } from './sequences-of-schema.ts';
import { settingStatements } from './settings.ts';
import { readSchemaTables } from './tables.ts';
import { readTextSearch } from './text-search.ts';
import { readEventTriggers, readTriggers } from './triggers.ts';
import { readTypes } from './types.ts';
import { readRules, readViews } from './views.ts';

/** What the catalog holds, in an order in which it can be made. */
export interface LiveSchema {
  readonly inventory: Inventory;
  readonly ordered: readonly SchemaObject[];
  readonly needs: ReadonlyMap<Address, ReadonlySet<Address>>;
  readonly owner: (address: Address) => Address | undefined;
  readonly before: ReadonlySet<Address>;
  readonly notCarried: readonly LeftOut[];
}

/** How often circles are broken before the rest is left out. */
const ATTEMPTS = 1_000;

/** The script of the database as the open transaction sees it. */
export async function readSchemaScript(session: PostgresSession, signal: AbortSignal): Promise<SchemaScript> {
  const live = await readLiveSchema(session, signal);
  const before: SchemaStatement[] = settingStatements();
  const after: SchemaStatement[] = [];
  for (const object of live.ordered) {
    (live.before.has(object.address) ? before : after).push(...statementsOf(object));
  }
  return { before, after, notCarried: live.notCarried };
}

/** The statements of one object, as they stand in a script. */
export function statementsOf(object: SchemaObject): SchemaStatement[] {
  return object.statements.map((statement) => ({ object: object.label, ...statement }));
}

/** Reads everything, and finds an order. */
export async function readLiveSchema(session: PostgresSession, signal: AbortSignal): Promise<LiveSchema> {
  const dependencies = await readDependencies(session, signal);
  const inventory: Inventory = {
    session,
    signal,
    objects: new Map(),
    targets: new Map(),
    notCarried: [],
    dependencies,
    ofExtension: extensionMembers(dependencies),
    aliases: new Map(),
  };
  await readSchemas(inventory);
  await readExtensions(inventory);
  await readUnsupported(inventory);
  await readCollations(inventory);
  await readTypes(inventory);
  await readDomains(inventory);
  await readRoutines(inventory);
  await readOperators(inventory);
  await readCasts(inventory);
  await readTextSearch(inventory);
  await readForeignServers(inventory);
  await readSchemaSequences(inventory);
  await readSchemaTables(inventory);
  await readIndexes(inventory);
  await readStatistics(inventory);
  await readViews(inventory);
  await readRules(inventory);
  await readTriggers(inventory);
  await readEventTriggers(inventory);
  await readPolicies(inventory);
  await readPrivileges(inventory);
  await readComments(inventory);
  await readNotCarried(inventory);
  return arrange(inventory);
}

function arrange(inventory: Inventory): LiveSchema {
  leaveOutImpossible(inventory);
  for (let attempt = 0; ; attempt += 1) {
    const { needs, owner } = resolveNeeds(inventory);
    const order = orderObjects(inventory.objects, needs);
    if ('ordered' in order) {
      const before = beforeRows(order.ordered, needs);
      const notCarried = [...inventory.notCarried].sort((a, b) => (a.name < b.name ? -1 : 1));
      return { inventory, ordered: order.ordered, needs, owner, before, notCarried };
    }
    if (attempt < ATTEMPTS && breakCircle(inventory, order.circle)) continue;
    for (const object of order.circle) {
      inventory.objects.delete(object.address);
      inventory.notCarried.push({
        name: object.label,
        reason: `needs ${order.circle.map((other) => other.label).join(', ')} in a circle`,
      });
    }
    leaveOutDependent(inventory, new Set(order.circle.map((object) => object.address)));
  }
}

/** Cuts an object of the circle into several; views first, which cost nothing, then tables. */
function breakCircle(inventory: Inventory, circle: readonly SchemaObject[]): boolean {
  const loosen =
    circle.find((object) => object.loosened !== undefined && object.table === undefined) ??
    circle.find((object) => object.loosened !== undefined);
  const parts = loosen?.loosened?.();
  if (loosen === undefined || parts === undefined) return false;
  for (const part of parts) {
    inventory.aliases.delete(part.address);
    for (const address of part.standsFor ?? []) inventory.aliases.set(address, part.address);
    inventory.objects.set(part.address, part);
  }
  return true;
}

function leaveOutImpossible(inventory: Inventory): void {
  const gone = new Set<Address>();
  for (const object of inventory.objects.values()) {
    if (object.impossible === undefined) continue;
    gone.add(object.address);
    inventory.notCarried.push({ name: object.label, reason: object.impossible });
  }
  leaveOutDependent(inventory, gone);
}

/** What needs something that cannot be made cannot be made either. */
function leaveOutDependent(inventory: Inventory, gone: Set<Address>): void {
  if (gone.size === 0) return;
  const { needs } = resolveNeeds(inventory);
  for (let found = true; found; ) {
    found = false;
    for (const object of inventory.objects.values()) {
      if (gone.has(object.address)) continue;
      const missing = [...(needs.get(object.address) ?? [])].find((address) => gone.has(address));
      if (missing === undefined) continue;
      found = true;
      gone.add(object.address);
      const of = inventory.objects.get(missing)?.label ?? missing;
      inventory.notCarried.push({ name: object.label, reason: `needs ${of}, which is not carried` });
    }
  }
  for (const address of gone) inventory.objects.delete(address);
}
