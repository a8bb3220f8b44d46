/** Users who read pages of history, as a process of its own: each has one request on its way, and every answer is counted. */
import { serve } from '../program.js';
import { type Pace, PacedRun } from './paced.js';
import { rawHttp, type RawHttp } from './raw-http.js';
import { tookOf, type Took } from './timing.js';

export interface PageWay {
  readonly url: string;
  readonly token: string;
  readonly path: string;
}

export interface PagesRead {
  readonly pages: number;
  readonly seconds: number;
  readonly tookMs: Took;
}

const OK = 200;

const readers: { readonly http: RawHttp; readonly path: string }[] = [];
let running: PacedRun | undefined;

serve({
  enter: async (ways: readonly PageWay[]): Promise<void> => {
    for (const { url, token, path } of ways) readers.push({ http: await rawHttp(url, token), path });
  },
  run: async (pace: Pace): Promise<PagesRead> => {
    const tookMs: number[] = [];
    running = new PacedRun(pace);
    const seconds = await running.over(readers, async ({ http, path }, sinceMs) => {
      await http.timed('GET', path, OK);
      tookMs.push(performance.now() - sinceMs);
    });
    return { pages: tookMs.length, seconds, tookMs: tookOf(tookMs) };
  },
  end: (): void => running?.end(),
});
