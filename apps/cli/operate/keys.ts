/** `parley keys`: what signs the tokens of Parley's own accounts. */
import { type KeyView, SigningKeys } from '#service';
import { EXIT, type Invocation, type OperatorCommand, parsedArgs, positionals, UsageError } from './command.js';
import { withDatabase } from './servers.js';
import { withAccounts } from './user.js';

export const keys: OperatorCommand = {
  usage: `parley keys list                           what signs tokens, and what has signed those that are still good
parley keys rotate                         another key from now on; nobody is signed out
parley keys revoke <kid>                   a key that somebody else may have: its tokens are good no more

  --json   one JSON object a line: {"kid", "state", "createdAt", "acceptedUntil"}

A key is replaced by itself after 90 days; a retired one is accepted for 25 hours, longer than any token lives. Services sign with a
new key within 5 seconds. They forget a revoked one within 2 minutes; clients then refresh their tokens and go on. A connection that is
open lives until its token's end, 15 minutes at most: restart the gateways to end it at once.`,
  run(invocation) {
    const [action, ...args] = invocation.args;
    const rest = { ...invocation, args };
    if (action === 'list') return list(rest);
    if (action === 'rotate') return rotate(rest);
    if (action === 'revoke') return revoke(rest);
    throw new UsageError('takes list, rotate or revoke');
  },
};

function list(invocation: Invocation): Promise<number> {
  positionals(parsedArgs(invocation.args, {}).positionals, []);
  return withKeys(invocation, (signing) => show(signing, invocation));
}

function rotate(invocation: Invocation): Promise<number> {
  positionals(parsedArgs(invocation.args, {}).positionals, []);
  return withKeys(invocation, async (signing) => {
    invocation.report.line(`tokens are signed by ${await signing.rotate()} from now on`);
    return show(signing, invocation);
  });
}

function revoke(invocation: Invocation): Promise<number> {
  // One key in 64 has a name that begins with a dash.
  const [kid] = positionals(parsedArgs(['--', ...invocation.args], {}).positionals, ['kid'] as const);
  return withKeys(invocation, async (signing) => {
    if (!(await signing.revoke(kid))) throw new Error(`there is no key ${kid}: parley keys list`);
    invocation.report.line(`what ${kid} has signed is good no more`);
    return show(signing, invocation);
  });
}

function withKeys({ config }: Invocation, work: (signing: SigningKeys) => Promise<number>): Promise<number> {
  return withDatabase(withAccounts(config()), (database) => work(new SigningKeys(database)));
}

async function show(signing: SigningKeys, { report }: Invocation): Promise<number> {
  for (const key of await signing.list()) {
    report.line(`${key.kid}  ${key.state.padEnd(7)}  since ${key.createdAt.slice(0, 10)}${acceptance(key)}`);
    await report.item(key);
  }
  return EXIT.ok;
}

const acceptance = ({ acceptedUntil }: KeyView): string =>
  acceptedUntil === null ? '' : `, accepted until ${acceptedUntil.slice(0, 19)}Z`;
