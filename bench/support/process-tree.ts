/** A process and everything it started, as Linux tells it: who they are, and how long they have computed. */
import { readdirSync, readFileSync } from 'node:fs';

/** The kernel counts the time of processes in these for its readers, whatever its own clock does. */
const TICKS_PER_SECOND = 100;
/** Fields of /proc/<pid>/stat behind the name, as proc(5) numbers them, less the three before. */
const STAT = { parent: 1, user: 11, system: 12, childrensUser: 13, childrensSystem: 14 } as const;

/** A process and its descendants. */
export function familyOf(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = statOf(name)[STAT.parent];
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const family = [pid];
  for (const member of family) family.push(...(children.get(member) ?? []));
  return family;
}

/** CPU seconds that a process and everything it ever started have used. */
export function familyCpu(pid: number): number {
  const { user, system } = STAT;
  const ticks = familyOf(pid).reduce((sum, member) => {
    const stat = statOf(member);
    return sum + (stat[user] ?? 0) + (stat[system] ?? 0) + endedChildren(stat);
  }, 0);
  return ticks / TICKS_PER_SECOND;
}

/** CPU seconds of everything this process started and saw end: exact, other than samples of what runs. */
export function endedChildrensCpu(): number {
  return endedChildren(statOf('self')) / TICKS_PER_SECOND;
}

function endedChildren(stat: readonly number[]): number {
  return (stat[STAT.childrensUser] ?? 0) + (stat[STAT.childrensSystem] ?? 0);
}

/** The numbers behind the name of a process; none when it has ended. */
function statOf(pid: number | string): readonly number[] {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  if (stat === '') return [];
  // The name in brackets may hold anything, so what follows is found from its end.
  return stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
}

/** A file of /proc; empty when the process has ended between being listed and being read. */
export function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
