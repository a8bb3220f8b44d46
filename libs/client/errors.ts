/** What an application has to tell apart. */

/** A refusal of the server: `code` is one of the contract's table, `temporary` says whether a repeat can help. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';

  constructor(
    readonly code: string,
    message: string,
    readonly temporary: boolean,
    /** When a repeat makes sense, in milliseconds. */
    readonly retryMs?: number,
  ) {
    super(message);
  }
}

/** The client was closed, by the application or for good by the server, before this was done. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError';

  constructor(
    message: string,
    /** The server's close code, where it was the server's decision. */
    readonly closeCode?: number,
  ) {
    super(message);
  }
}

/** A bounded queue of the client is full; `limit` names it. */
export class LimitError extends Error {
  override readonly name = 'LimitError';

  constructor(
    readonly limit: string,
    size: number,
  ) {
    super(`${limit} is full (${size})`);
  }
}
