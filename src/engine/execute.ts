/** Which verb a record of each kind runs. */
import { executeCreate } from './create-backup.ts';
import { died } from './died.ts';
import { executeImport } from './import-backup.ts';
import type { EngineParts } from './parts.ts';
import type { ExecuteRecord } from './record-runner.ts';
import { secretsOwner } from './request-secrets.ts';
import { executeRestore } from './restore-backup.ts';
import { executeRotate } from './rotate-backups.ts';
import type { RunningRecord } from './running-record.ts';
import { executeSelfTest } from './self-test.ts';
import { executeVerify } from './verify-backup.ts';

/** The executor of every kind of record. */
export function executorOf(parts: EngineParts): ExecuteRecord {
  return async (record, runner) => {
    refuseWithoutSecrets(record);
    switch (record.row.kind) {
      case 'CREATE':
        return await executeCreate(parts, record);
      case 'RESTORE':
        return await executeRestore(parts, record, runner);
      case 'VERIFY':
        return await executeVerify(parts, record);
      case 'ROTATE':
        return await executeRotate(parts, record);
      case 'IMPORT':
        return await executeImport(parts, record);
      case 'SELF_TEST':
        return await executeSelfTest(parts, record);
    }
  };
}

/** The process that was told them died before the record's turn came. */
function refuseWithoutSecrets({ row, unlock, sealing }: RunningRecord): void {
  if (secretsOwner(row) === undefined || unlock !== undefined || sealing !== undefined) return;
  throw died(row, 'Nothing was changed.', 'Start it again.');
}
