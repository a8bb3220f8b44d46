/** Loaded into a service by `--import` where its memory is weighed: SIGUSR2 collects the garbage, as `--expose-gc` would let it do. */
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

process.on('SIGUSR2', () => {
  collect();
  collect();
});
