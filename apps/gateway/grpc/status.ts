/** Refusals as gRPC says them: the table's number, the refusal's text, and in the trailers its code and when to come back. */
import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { DomainError, REFUSALS } from '#contract';
import { LogUnavailableError } from '#event-log';

/** Trailers of a refusal. `grpc-retry-pushback-ms` is gRPC's own name, which client libraries wait for. */
export const TRAILERS = { code: 'parley-code', retryMs: 'grpc-retry-pushback-ms' } as const;

export const refused = (code: ConstructorParameters<typeof DomainError>[0], detail?: string): DomainError =>
  new DomainError(code, detail);

/** @param onFault hears of what is no refusal: it is ours, and its text is not for callers */
export function statusOf(error: unknown, onFault: (error: unknown) => void): StatusObject {
  const refusal = refusalOf(error);
  if (refusal.code === 'internal') onFault(error);
  const metadata = new Metadata();
  metadata.set(TRAILERS.code, refusal.code);
  if (refusal.retryMs !== undefined) metadata.set(TRAILERS.retryMs, String(refusal.retryMs));
  return { code: REFUSALS[refusal.code].grpc, details: refusal.message, metadata };
}

function refusalOf(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  // A log without a leader, or out of reach, is waited for: nobody has made a mistake.
  return new DomainError(error instanceof LogUnavailableError ? 'unavailable' : 'internal', undefined, {
    cause: error,
  });
}

/** A stream that is ended for the gateway's reasons, or the network's: come back, with the cursor that the trailers carry. */
export const COME_BACK = status.UNAVAILABLE;
