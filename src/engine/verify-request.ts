/** What a VERIFY record remembers of its request; what unlocks the bundle is never among it. */
import type { RecordRow, VerifyLevel } from '../catalog/catalog.ts';
import { readRequest } from './record-request.ts';

export type VerifyRequest = {
  readonly backupId: string;
  /** Absent in records of before there were levels. */
  readonly level?: VerifyLevel;
};

/** How deep a verification looks. */
export function levelOf(row: Pick<RecordRow, 'request'>): VerifyLevel {
  return readRequest<VerifyRequest>(row).level ?? 'CONTENT';
}
