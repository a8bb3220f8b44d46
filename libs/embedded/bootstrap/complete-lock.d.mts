export interface LockFile {
  packages: Record<string, { version?: string; resolved?: string; optionalDependencies?: Record<string, string> }>;
}
export function missingOptionals(lock: LockFile): [name: string, range: string, askedBy: object][];
