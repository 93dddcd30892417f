/** What a verification has found so far, and what it comes to. */
import type { ContentReport } from '../bundle/bundle.ts';
import type { CertifiedTable, Verdict, VerifyLevel } from '../catalog/catalog.ts';
import { HoldfastError } from '../errors.ts';
import type { DrillReport } from './drill-backup.ts';
import type { VerifyResult } from './record-result.ts';

/** Codes that say something about the bundle itself, not about the way to it. */
const VERDICT_CODES = new Set(['INVALID_CHECKSUM', 'INVALID_SIGNATURE', 'INVALID_MANIFEST', 'UNSAFE_PATH']);

/**
 * Codes that say why a bundle could not be looked into, not that it is bad: it may be in order for a newer Holdfast, or
 * for the right passphrase. A file that is known to be damaged may be so just where its key or version is told.
 */
const UNREADABLE_CODES = new Set(['DECRYPTION_FAILED', 'FORMAT_TOO_NEW', 'FORMAT_TOO_OLD']);

/** More faults than this are not told: the bundle is lost either way. */
const MAX_PROBLEMS = 100;

const UNOPENED =
  'The bundle is sealed and its key is not held here: the file and its outer form are what they were, its content was not looked at.';

export class Findings {
  readonly problems: VerifyResult['problems'] = [];
  report: ContentReport = { contentChecked: true, entries: 0, rows: 0, bytes: 0, files: 0, tables: [] };
  tables: CertifiedTable[] = [];
  restoreSeconds: number | null = null;
  #first: HoldfastError | undefined;
  #undrilled: string | undefined;

  /** The first fault; undefined while there is none. */
  get first(): HoldfastError | undefined {
    return this.#first;
  }

  get verdict(): Verdict {
    if (this.#first !== undefined) return 'FAILED';
    return this.report.contentChecked && this.#undrilled === undefined ? 'PASSED' : 'UNPROVEN';
  }

  /** Takes an error that is about the bundle; any other ends the verification without a verdict. */
  noteVerdict(error: unknown): void {
    if (!(error instanceof HoldfastError)) throw error;
    const known = this.#first !== undefined && UNREADABLE_CODES.has(error.code);
    if (!known && !VERDICT_CODES.has(error.code)) throw error;
    this.#note(error, null);
  }

  /** Takes a damaged entry; ends the check when there are too many. */
  noteDamage(entry: string, error: HoldfastError): void {
    this.#note(error, entry);
    if (this.problems.length >= MAX_PROBLEMS) throw error;
  }

  noteReport(report: ContentReport): void {
    this.report = report;
    this.tables = [...report.tables];
  }

  /** The drill was asked for and not made. */
  noteUndrilled(reason: string): void {
    this.#undrilled = `${reason} Its content is what it was, but it was not restored for a look.`;
  }

  noteDrill({ tables, differences, restoreSeconds }: DrillReport): void {
    const digests = new Map(
      tables.map(({ schema, name, digest }) => [JSON.stringify([schema, name]), digest]),
    );
    this.tables = this.tables.map((table) => ({
      ...table,
      digest: digests.get(JSON.stringify([table.schema, table.name])) ?? table.digest,
    }));
    for (const difference of differences.slice(0, MAX_PROBLEMS)) {
      const hint = 'Do not rely on this backup. Its certificate has the details.';
      const message = `Restored, the bundle is not what it says: ${difference}`;
      this.#note(new HoldfastError('INVALID_CHECKSUM', message, { hint }), null);
    }
    // What did not come back whole says nothing of how long coming back takes.
    if (differences.length === 0) this.restoreSeconds = restoreSeconds;
  }

  /** The verdict in a sentence. */
  message(level: VerifyLevel): string {
    const { contentChecked, entries, rows } = this.report;
    if (this.#first !== undefined) return this.#first.message;
    if (!contentChecked) return UNOPENED;
    if (this.#undrilled !== undefined) return this.#undrilled;
    switch (level) {
      case 'CHECKSUM':
        return 'The file has the size and SHA-256 of the catalog.';
      case 'CONTENT':
        return `${entries} entries and ${rows} rows are what they were.`;
      case 'RESTORE':
        return `Restored into scratch ground in ${(this.restoreSeconds ?? 0).toFixed(1)} s: ${rows} rows, every counter and foreign key and all files came back as they were.`;
    }
  }

  #note(error: HoldfastError, entry: string | null): void {
    this.#first ??= error;
    if (!this.problems.some(({ message }) => message === error.message))
      this.problems.push({ entry, message: error.message });
  }
}
