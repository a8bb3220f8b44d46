/**
 * Loaded into a service by `--import` under `npm run bench -- --profile`: one SIGUSR2 begins a CPU profile, the next one ends it and writes
 * it into the folder that BENCH_PROFILE_FOLDER names. Node 20 takes no --cpu-prof from NODE_OPTIONS.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';

const INTERVAL_US = 500;
const session = new Session();
let running = false;

process.on('SIGUSR2', () => (running ? end() : begin()));
process.on('exit', () => running && end());

function begin() {
  running = true;
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
  session.post('Profiler.start');
}

/** On one's own thread the session answers before `post` returns, so there is time for this even at the very end. */
function end() {
  running = false;
  session.post('Profiler.stop', (error, answer) => {
    if (error) throw error;
    const name = basename(dirname(process.argv[1] ?? 'node'));
    const file = join(process.env.BENCH_PROFILE_FOLDER ?? '.', `${name}-${process.pid}.cpuprofile`);
    writeFileSync(file, JSON.stringify(answer.profile));
  });
  session.disconnect();
}
