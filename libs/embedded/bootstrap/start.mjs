import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { progress, standalone } from './paths.mjs';
import { prepare } from './prepare.mjs';

/** The platform runs in this very process: it gets the signals itself, and a kill of it is a kill of the platform. */
export async function run(args) {
  await prepare();
  progress('starting (4/4)');
  process.setSourceMapsEnabled(true);
  process.argv = [process.argv[0], standalone, ...args];
  await import(pathToFileURL(standalone).href);
}
