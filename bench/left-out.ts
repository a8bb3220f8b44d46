/** Thrown by a subject that this machine cannot run: the benchmark goes on without it, and its section says so. */
export class LeftOutError extends Error {
  override readonly name = 'LeftOutError';
}
