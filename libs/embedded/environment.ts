/**
 * The only reader of `process.env` in this library. Our own variables are `PARLEY_CACHE` (folder), `PARLEY_SYNC` (see
 * nats-server.ts); `PATH` is for finding an installed nats-server.
 */
export function environment(): Readonly<NodeJS.ProcessEnv> {
  return process.env;
}

/** What a service may inherit. Everything else comes from its caller, so that a NATS_URL left in a shell decides nothing in a test. */
const INHERITED =
  /^(PATH|HOME|USER|LOGNAME|TMPDIR|TZ|LANG|LC_.*|CI|PARLEY_CACHE|PARLEY_SYNC|NODE_EXTRA_CA_CERTS|npm_config_.*|https?_proxy|no_proxy)$/i;

export function inheritedEnvironment(): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && INHERITED.test(name)) kept[name] = value;
  }
  return kept;
}
