/** Something that is not backed up, and why. */
export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}
