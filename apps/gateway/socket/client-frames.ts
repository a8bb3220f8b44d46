/** Reads what a client sent: one JSON object a frame, and which request it was where it is no frame of ours. */
import { type ClientFrame, clientFrame, DomainError, parseOrRefuse, requestId } from '#contract';
import type { RawData } from 'ws';

export type RequestId = string | number;

/** A frame that cannot be taken, with the id of the request where it has one. */
export class FrameRefusedError extends Error {
  override readonly name = 'FrameRefusedError';

  constructor(
    readonly refusal: DomainError,
    readonly id: RequestId | undefined,
  ) {
    super(refusal.message, { cause: refusal });
  }
}

const OPS: ReadonlySet<unknown> = new Set(clientFrame.options.map((option) => [...option.shape.op.values][0]));

/** @throws FrameRefusedError */
export function readClientFrame(data: RawData): ClientFrame {
  const value = readObject(data);
  const id = requestIdOf(value);
  try {
    if (!OPS.has(value['op'])) throw new DomainError('invalid_body', `op: must be one of ${[...OPS].join(', ')}`);
    return parseOrRefuse(clientFrame, value);
  } catch (error) {
    if (error instanceof DomainError) throw new FrameRefusedError(error, id);
    throw error;
  }
}

function readObject(data: RawData): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(data.toString());
  } catch (cause) {
    throw new FrameRefusedError(new DomainError('invalid_body', 'a frame is one JSON object', { cause }), undefined);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FrameRefusedError(new DomainError('invalid_body', 'a frame is one JSON object'), undefined);
  return value as Record<string, unknown>;
}

/** What is no name for a request is not given back either: it may be as long as a frame. */
function requestIdOf({ id }: Record<string, unknown>): RequestId | undefined {
  return requestId.safeParse(id).data;
}
