/** A certificate that says nothing yet but FAILED; tests put in what they are about. */
import type { CertificateRow } from '../../src/catalog/catalog.ts';

export const NO_FINDINGS: Omit<CertificateRow, 'id' | 'backupId' | 'message'> = {
  recordId: null,
  level: 'CONTENT',
  verdict: 'FAILED',
  startedAt: new Date(0),
  finishedAt: new Date(0),
  restoreSeconds: null,
  entries: 0n,
  rows: 0n,
  bytes: 0n,
  files: 0n,
  tables: [],
};
