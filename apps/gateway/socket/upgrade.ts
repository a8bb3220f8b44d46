/**
 * Who may open a socket, decided before the upgrade: origin, subprotocol, and the token where it comes with the request. What is
 * refused here is an HTTP answer; a browser's token, which it cannot put into a header, is refused after the upgrade by a
 * close code, because a browser sees no HTTP answer.
 */
import type { IncomingMessage } from 'node:http';
import { BEARER_SUBPROTOCOL_PREFIX, DomainError, ECHO_MODES, type EchoMode, REFUSALS, SUBPROTOCOL } from '#contract';
import { bearerToken, type Identity, type TokenVerifier } from '#service';
import { isOwnHost } from '#service/http';

/** Shown to whoever comes when the gateway can take nobody. */
export const TOO_MANY_HERE = 'too many connections: come again';

/** What is known of a connection when it is upgraded. */
export interface Upgrade {
  readonly isPlain: boolean;
  /** Undefined: a hello has to bring the token. */
  readonly identity: Identity | undefined;
  /** A token that came in a subprotocol and was refused. */
  readonly refused: DomainError | undefined;
  readonly echo: EchoMode | undefined;
  /** The log's ends, for a client that knows no cursors. */
  readonly ends: readonly number[] | undefined;
}

export interface UpgradeRefusal {
  readonly status: number;
  readonly body: string;
  readonly headers: Record<string, string>;
}

export interface UpgradeOptions {
  readonly verifier: TokenVerifier;
  readonly origins: readonly string[];
  /** Whether the demo is on, which is served to this machine alone. */
  readonly demo: boolean;
  readonly ends: () => Promise<readonly number[]>;
  /** Throws when too many of this address wait for their hello. */
  readonly mayWait: (request: IncomingMessage) => void;
  /** No connection can be taken now. */
  readonly isFull: () => boolean;
}

/** @throws DomainError what the HTTP answer refuses with */
export async function examineUpgrade(request: IncomingMessage, options: UpgradeOptions): Promise<Upgrade> {
  refuseForeignOrigin(request, options.origins);
  if (options.demo && !isOwnHost(request.headers.host, options.origins))
    throw new DomainError('forbidden', 'forbidden: the demo is served to this machine alone');
  if (options.isFull()) throw new DomainError('unavailable', TOO_MANY_HERE);
  const offered = offeredProtocols(request);
  const isPlain = offered.length === 0;
  if (!isPlain && !offered.includes(SUBPROTOCOL))
    throw new DomainError('invalid_body', `unknown subprotocol: offer ${SUBPROTOCOL}`);
  const echo = echoOf(request);
  const header = request.headers.authorization;
  if (header !== undefined || isPlain) {
    const identity = await options.verifier.verify(bearerToken(header));
    return { isPlain, identity, refused: undefined, echo, ends: isPlain ? await options.ends() : undefined };
  }
  const token = offered.find((name) => name.startsWith(BEARER_SUBPROTOCOL_PREFIX));
  if (token === undefined) options.mayWait(request);
  const signedIn = token === undefined ? {} : await verified(options.verifier, token);
  return { isPlain, identity: signedIn.identity, refused: signedIn.refused, echo, ends: undefined };
}

async function verified(
  verifier: TokenVerifier,
  protocol: string,
): Promise<{ identity?: Identity; refused?: DomainError }> {
  try {
    return { identity: await verifier.verify(protocol.slice(BEARER_SUBPROTOCOL_PREFIX.length)) };
  } catch (error) {
    if (!(error instanceof DomainError) || REFUSALS[error.code].temporary) throw error;
    return { refused: error };
  }
}

/** A browser says where its page is from; our own page, and what the operator lists, may come. */
function refuseForeignOrigin({ headers }: IncomingMessage, origins: readonly string[]): void {
  const { origin, host } = headers;
  if (origin === undefined || origins.includes('*') || origins.includes(origin)) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new DomainError('forbidden', 'forbidden: this origin may not connect');
}

export const offeredProtocols = ({ headers }: IncomingMessage): string[] =>
  (headers['sec-websocket-protocol'] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name.length > 0);

function echoOf({ url }: IncomingMessage): EchoMode | undefined {
  const given = new URL(url ?? '/', 'ws://localhost').searchParams.get('echo');
  if (given === null) return undefined;
  const mode = ECHO_MODES.find((known) => known === given);
  if (mode === undefined) throw new DomainError('invalid_body', `echo takes ${ECHO_MODES.join(', ')}`);
  return mode;
}

/** A refusal as an HTTP answer: the contract's text and a newline, unless JSON is asked for. */
export function refusalAnswer(error: DomainError, accept: string | undefined): UpgradeRefusal {
  const { http: status } = REFUSALS[error.code];
  const retry = error.retryMs === undefined ? {} : { 'Retry-After': String(Math.ceil(error.retryMs / 1000)) };
  if (!(accept ?? '').includes('json'))
    return { status, body: `${error.message}\n`, headers: { 'Content-Type': 'text/plain; charset=utf-8', ...retry } };
  const body = JSON.stringify({ status, code: error.code, detail: error.message });
  return { status, body, headers: { 'Content-Type': 'application/problem+json', ...retry } };
}
