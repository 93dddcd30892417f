/** Phases and their counters. */
import { NO_PROGRESS, type PhaseState, type ProgressState } from '../catalog/catalog.ts';
import { builder } from './builder.ts';

/** Counters from the catalog's JSON; a record that has not begun holds an empty object. */
export function progressOf(json: unknown): ProgressState {
  // Written by the engine in this shape; absent counters are zero.
  return { ...NO_PROGRESS, ...(json as Partial<ProgressState> | null) };
}

export const ProgressType = builder.objectRef<ProgressState>('Progress').implement({
  description: 'How far a phase or record is.',
  fields: (t) => ({
    rows: t.expose('rows', { type: 'BigInt', description: 'Rows so far.' }),
    bytes: t.expose('bytes', { type: 'BigInt', description: 'Bytes of content so far, before compression.' }),
    files: t.expose('files', { type: 'BigInt', description: 'Files so far.' }),
    fraction: t.exposeFloat('fraction', {
      nullable: true,
      description: '0 to 1; null while the total is not known.',
    }),
    bytesPerSecond: t.exposeFloat('bytesPerSecond', { description: 'Rate over the last few seconds.' }),
    etaSeconds: t.exposeFloat('etaSeconds', {
      nullable: true,
      description: 'Seconds until the end, estimated; null while it cannot be told.',
    }),
    currentItem: t.exposeString('currentItem', {
      nullable: true,
      description: 'The table or file being worked on.',
    }),
  }),
});

const PhaseNameEnum = builder.enumType('PhaseName', {
  description: 'The steps that records are made of.',
  values: {
    SNAPSHOT: { description: 'Opens one consistent view of the database.' },
    TABLES: { description: 'Writes the tables into the bundle.' },
    FILES: { description: 'Writes the files into the bundle.' },
    STORE: { description: 'Makes the bundle durable and visible in storage.' },
    CATALOG: { description: 'Enters the backup in the catalog.' },
    CHECKSUM: { description: 'Reads the whole bundle and compares its SHA-256.' },
    CONTENT: { description: 'Reads every entry and compares checksum, size and count with the manifest.' },
    PLAN: { description: 'Compares bundle and target.' },
    PRE_RESTORE_BACKUP: { description: 'Backs the target up before it is changed.' },
    STAGE_FILES: { description: 'Writes the files beside their targets.' },
    CLEAR_TABLES: { description: 'Empties the tables, within the transaction.' },
    LOAD_TABLES: { description: 'Loads the tables, within the transaction.' },
    CONSTRAINTS: { description: 'Sets sequences, brings back keys and checks them.' },
    PROVE: { description: 'Reads the tables back and compares them with the bundle.' },
    COMMIT: { description: 'Makes database and files new, together.' },
    ROLL_BACK: { description: 'Leaves database and files as they were.' },
    RECEIVE: { description: 'Takes an uploaded bundle into storage.' },
    SCRATCH: { description: 'Makes the scratch database and directory of a drill.' },
    COLLECT: { description: 'Makes the canary of a self-test.' },
    DESTROY: { description: 'Destroys the canary of a self-test, which only its bundle brings back.' },
    CLEAN_UP: { description: 'Removes what a drill or self-test has made.' },
    DELETE: { description: 'Deletes backups.' },
  } as const,
});

const PhaseStatusEnum = builder.enumType('PhaseStatus', {
  description: 'Where a phase stands.',
  values: {
    RUNNING: { description: 'At work.' },
    SUCCEEDED: { description: 'Done.' },
    FAILED: { description: 'Ended by an error.' },
    CANCELED: { description: 'Ended by a cancellation.' },
  } as const,
});

export const PhaseType = builder.objectRef<PhaseState>('Phase').implement({
  description: 'A named step of a record, with its own counters.',
  fields: (t) => ({
    index: t.exposeInt('index', { description: 'From 0, in order of start.' }),
    name: t.expose('name', { type: PhaseNameEnum, description: 'Which step it is.' }),
    status: t.expose('status', { type: PhaseStatusEnum, description: 'Where it stands.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When it began.' }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it ended; null while it runs.',
    }),
    progress: t.field({
      type: ProgressType,
      description: 'Its counters.',
      resolve: (phase) => progressOf(phase.progress),
    }),
  }),
});

export { PhaseNameEnum };
