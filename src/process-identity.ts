/** Who this process is, and whether another one of this host still lives. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ProcessIdentity } from './engine/parts.ts';
import { systemErrorCode } from './errors.ts';

/**
 * When a process began, so that a number used again by another process is told apart: field 22 of
 * /proc/<pid>/stat (proc(5)), in clock ticks since boot, together with the boot's own id. Undefined where there is no /proc.
 */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    // The second field is the program's name in parentheses and may hold spaces; fields 3.. follow the last ')'.
    return `${boot}-${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemErrorCode(error) !== 'ESRCH';
  }
}

/**
 * Where process numbers are counted: containers of one host may share its name, but each counts its own. The inode
 * of the namespace (pid_namespaces(7)), one number for each that lives. Undefined where there is no /proc.
 */
function pidNamespace(): string | undefined {
  try {
    return /^pid:\[(\d+)\]$/.exec(readlinkSync('/proc/self/ns/pid'))?.[1];
  } catch {
    return undefined;
  }
}

/**
 * The identity of this process. One that was written without a namespace, by an earlier version, is taken for one
 * of another host: only its lease tells when it is over.
 */
export function processIdentity(): ProcessIdentity {
  const namespace = pidNamespace();
  // No host name has an @ after it was encoded.
  const host = encodeURIComponent(hostname()) + (namespace === undefined ? '' : `@${namespace}`);
  return {
    owner: `${host}/${process.pid}/${startOf(process.pid) ?? Date.now()}`,
    isDead(owner) {
      const [ownerHost, pid, start] = owner.split('/');
      if (ownerHost !== host || pid === undefined || start === undefined) return false;
      if (!isRunning(Number(pid))) return true;
      const now = startOf(Number(pid));
      return now !== undefined && now !== start;
    },
  };
}
