/** The load of the validation row, a process of its own: connections with one POST on its way each, every answer counted. */
import { serve } from '../program.js';
import { quantile } from '../statistics.js';
import { rawHttp } from './raw-http.js';

export interface PostsOptions {
  readonly url: string;
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
}

export interface PostsResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const ACCEPTED = 202;
const BODY = JSON.stringify({ content: 'x'.repeat(100) });

serve({
  run: async ({ url, path, connections, seconds }: PostsOptions): Promise<PostsResult> => {
    const clients = await Promise.all(Array.from({ length: connections }, () => rawHttp(url, '-')));
    const startMs = performance.now();
    const endMs = startMs + seconds * 1_000;
    const tookMs: number[] = [];
    const lane = async (http: (typeof clients)[number]): Promise<void> => {
      while (performance.now() < endMs) tookMs.push(await http.timed('POST', path, ACCEPTED, BODY));
    };
    await Promise.all(clients.map(lane));
    const elapsedSeconds = (performance.now() - startMs) / 1_000;
    for (const http of clients) http.stop();
    tookMs.sort((a, b) => a - b);
    return {
      perSecond: tookMs.length / elapsedSeconds,
      p50Ms: quantile(tookMs, 0.5),
      p99Ms: quantile(tookMs, 0.99),
    };
  },
});
