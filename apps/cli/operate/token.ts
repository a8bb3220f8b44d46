/** `parley token`: a token for somebody, for trying things and for programs of an operator. */
import { SignJWT } from 'jose';
import { fields } from '#contract';
import { getAccount } from '#read-models';
import { type Config, ConfigError, OWN_TOKEN_LIFE_MAX_S, OWN_TOKENS, SigningKeys } from '#service';
import { EXIT, type OperatorCommand, parsedArgs, positionals, UsageError } from './command.js';
import { withDatabase } from './servers.js';

const TTL = '1h';
const UNIT_S = { s: 1, m: 60, h: 60 * 60 } as const;

export const token: OperatorCommand = {
  usage: `parley token <user> [--ttl 1h]             a token for a user, signed with this deployment's own key

  --ttl <n>s|m|h   how long it is good: 1h when not given, 24h at most
  --json           {"token", "user", "expiresAt"}

Signed with JWT_SECRET where that is set, else with the active key of Parley's own accounts; then the user has to have an account.
It belongs to no session: it cannot be taken back before it ends. Where JWKS_URL is set, that issuer makes the tokens.`,
  async run({ args, report, config: read }) {
    const { values, positionals: rest } = parsedArgs(args, { ttl: { type: 'string' } });
    const [user] = positionals(rest, ['user'] as const);
    const ttlS = seconds(values.ttl ?? TTL);
    const config = read();
    const nowS = Math.floor(Date.now() / 1_000);
    const made = await signed(config, user, { nowS, endS: nowS + ttlS });
    report.line(made.token);
    await report.item({ ...made, expiresAt: new Date((nowS + ttlS) * 1_000).toISOString() });
    return EXIT.ok;
  },
};

interface Life {
  readonly nowS: number;
  readonly endS: number;
}

interface Made {
  readonly token: string;
  readonly user: string;
}

function signed(config: Config, user: string, life: Life): Promise<Made> {
  if (config.jwksUrl !== undefined)
    throw new ConfigError(`JWKS_URL is set: ${config.jwksUrl} makes the tokens of this deployment`);
  return config.jwtSecret === undefined ? bySigningKey(config, user, life) : bySecret(config.jwtSecret, user, life);
}

async function bySecret(secret: string, user: string, { nowS, endS }: Life): Promise<Made> {
  const id = fields.userId.safeParse(user);
  if (!id.success) throw new UsageError(`${user} is no user id`);
  const token = await new SignJWT({})
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject(id.data)
    .setIssuedAt(nowS)
    .setExpirationTime(endS)
    .sign(new TextEncoder().encode(secret));
  return { token, user: id.data };
}

function bySigningKey(config: Config, name: string, { nowS, endS }: Life): Promise<Made> {
  return withDatabase(config, async (database) => {
    const account = await getAccount(database, name);
    if (account === undefined) throw new Error(`there is no account ${name}: parley user list`);
    if (account.disabled)
      throw new Error(`the account ${account.userId} is disabled: parley user enable ${account.userId}`);
    const { kid, privateKey } = await new SigningKeys(database).active();
    const { userId, username, admin } = account;
    const token = await new SignJWT({ username, ...(admin ? { admin } : {}) })
      .setProtectedHeader({ alg: OWN_TOKENS.algorithm, kid })
      .setSubject(userId)
      .setIssuer(OWN_TOKENS.issuer)
      .setIssuedAt(nowS)
      .setExpirationTime(endS)
      .sign(privateKey);
    return { token, user: userId };
  });
}

function seconds(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  const found = Number(count) * UNIT_S[(unit ?? 's') as keyof typeof UNIT_S];
  if (found > 0 && found <= OWN_TOKEN_LIFE_MAX_S) return found;
  throw new UsageError(`--ttl ${text}: takes 30s, 15m, 12h and the like, 24h at most`);
}
