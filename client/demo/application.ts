/** The application whose data are at stake. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createApplicationDatabase, damageDatabase } from './application-database.ts';
import { createApplicationFiles, damageFiles } from './application-files.ts';
import { type Fingerprint, takeFingerprint } from './fingerprint.ts';

/** Where the application keeps its data. */
export interface Application {
  /** Holds both. */
  readonly directory: string;
  readonly database: string;
  readonly files: string;
}

/** Makes the application's data: about `rows` rows and a few hundred files. */
export async function createApplication(directory: string, rows: number): Promise<Application> {
  const application = {
    directory,
    database: join(directory, 'agents.db'),
    files: join(directory, 'workspace'),
  };
  await mkdir(application.files, { recursive: true });
  createApplicationDatabase(application.database, rows);
  await createApplicationFiles(application.files);
  return application;
}

/** Measures all of it, without Holdfast. */
export function measure({ database, files }: Application): Promise<Fingerprint> {
  return takeFingerprint(database, files);
}

/** Damages rows and files; returns what was done, in words. */
export async function damage({ database, files }: Application): Promise<string[]> {
  return [...damageDatabase(database), ...(await damageFiles(files))];
}
