/** What one run of one benchmark leaves behind: all that RESULTS.md says of it, and `--check` compares. */

export interface Section {
  readonly name: string;
  readonly sentence: string;
  readonly figure: string;
  readonly better: 'higher' | 'lower';
  readonly goals: readonly string[];
  readonly notes: readonly string[];
  /** ISO 8601. */
  readonly at: string;
  readonly command: string;
  /** With `, changed` behind it where the tree was not what the commit says. */
  readonly commit: string;
  readonly machine: Machine;
  readonly subjects: readonly SubjectResult[];
  /** Subjects that could not be measured here, and why. */
  readonly leftOut: readonly string[];
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memory: string;
  readonly system: string;
  /** By name of the program or package. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface SubjectResult {
  readonly name: string;
  readonly rounds: readonly RoundResult[];
}

export interface RoundResult {
  readonly figures: Readonly<Record<string, number>>;
  /** Cores used while it was measured, by process; `other` is everything that is not ours. */
  readonly cores: Readonly<Record<string, number>>;
}
