/** The kinds of database that are measured. */
export const DATABASE_KINDS = ['postgres', 'sqlite', 'mariadb'] as const;

/** One of {@link DATABASE_KINDS}. */
export type DatabaseKind = (typeof DATABASE_KINDS)[number];

/** What the command line asked for; undefined leaves it to the bench. */
export interface BenchOptions {
  /** Size of each database, MB. */
  readonly megabytes: number | undefined;
  readonly rounds: number | undefined;
  readonly kinds: readonly DatabaseKind[];
}
