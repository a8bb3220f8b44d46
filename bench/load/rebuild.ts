/** A rebuild of all read models, asked for as `parley projections rebuild` asks for it. */
import { connect, createInbox } from '@nats-io/transport-node';
import { REQUESTS } from '#contract';
import { natsOptions, type Platform } from '#embedded';

interface Reported {
  readonly response?: { readonly kind: 'progress' | 'done' | 'failed'; readonly text: string };
  readonly err?: unknown;
}

export interface Rebuild {
  /** From the request to the report that all is done. */
  readonly ms: number;
  readonly events: number;
  /** How long the projection applied nothing to the live read models, for the swap. */
  readonly heldMs: number;
}

const DONE = /from (?<events>\d+) events .* held for (?<heldMs>\d+) ms/;

export async function rebuildAll(platform: Platform): Promise<Rebuild> {
  const nats = await connect({ ...natsOptions(platform.natsUrls()), name: 'load' });
  try {
    // The projection may answer more than once to an operator only.
    const inbox = createInbox('_INBOX_operate');
    const answers = nats.subscribe(inbox);
    const startMs = performance.now();
    const data = { models: [] };
    nats.publish(REQUESTS.rebuild, JSON.stringify({ pattern: REQUESTS.rebuild, data, id: inbox }), { reply: inbox });
    for await (const answer of answers) {
      const { response, err } = answer.json<Reported>();
      if (err !== undefined || response?.kind === 'failed') throw new Error(`no rebuild: ${answer.string()}`);
      if (response?.kind !== 'done') continue;
      const ms = performance.now() - startMs;
      const { events, heldMs } = DONE.exec(response.text)?.groups ?? {};
      if (events === undefined) throw new Error(`a report of another form: ${response.text}`);
      return { ms, events: Number(events), heldMs: Number(heldMs) };
    }
    throw new Error('the projection says nothing any more');
  } finally {
    await nats.close();
  }
}
