/** docs/AUTHORISATION.md, made of the rules and the operations: what the matrix has been held against. */
import { REFUSALS, type RefusalCode } from '#contract';
import { FRAMES, HTTP, RPCS } from './operations.js';
import { CALLERS, ROOM_KINDS, type Row, type RuleName, RULES, ruleOf } from './rules.js';

const COMMAND = 'node libs/embedded/bootstrap.mjs run test/security/write-authorisation.ts';

/** The page as it has to stand in docs. */
export function authorisationPage(): string {
  return `# Who may do what

Made by \`${COMMAND}\` from \`test/security/rules.ts\` and \`test/security/operations.ts\`. Every
route, frame and RPC of the contract stands here, and \`test/security/authorisation.e2e.spec.ts\` asks the running platform every one
of them as every caller: one that is new fails that suite until it is put down here. Whoever has no token, or one that is not good (expired,
signed by another key or algorithm, by \`none\`, without an end, of an ended session, ...), is refused everywhere but where it says
_open_: 401, on gRPC 16, on sockets 401 before the upgrade or a close with 4500 or 4501.

An _outsider_ has an account and is not in the room; of a _stranger_ nobody has ever heard, they only have a good token. To both, and to who is
banned, the answers about a private room are the same, byte for byte, as about a room that there is not. Where it shows all
the same: ids are chosen by those who create, so creating a room under an id that is taken is refused, and where \`ROOMS_ON_JOIN\` is on, joining does
not create it; and \`GetFile\` says of a file as its room does, to whoever knows the file's id, which cannot be guessed.

## Rules

${rulesTable()}

${codesUsed()}

## Routes

${table(
  ['route', 'rule'],
  Object.entries(HTTP).map(([route, { rule, absent }]) => [
    `\`${route}\``,
    absent === true ? 'demo mode only' : nameOf(rule),
  ]),
)}

## Frames

${table(
  ['frame', 'rule'],
  Object.entries(FRAMES).map(([op, { rule }]) => [`\`${op}\``, nameOf(rule)]),
)}

## RPCs

${table(['RPC', 'rule'], Object.entries(RPCS).flatMap(rpcRows))}
`;
}

function rpcRows([name, { rule, actions }]: (typeof RPCS)[string] extends infer O ? [string, O] : never): string[][] {
  if (actions === undefined) return [[`\`${name}\``, nameOf(rule)]];
  return Object.entries(actions).map(([action, of]) => [`\`${name}\`, action \`${action}\``, nameOf(of)]);
}

/** Words, not the program's names. */
const nameOf = (rule: RuleName): string => rule.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function rulesTable(): string {
  const rows = (Object.keys(RULES) as RuleName[]).flatMap((name) => {
    const { about, rooms } = ruleOf(name);
    if (rooms === undefined) {
      const verdict = name === 'open' ? 'yes, without a token too' : 'yes';
      return [[nameOf(name), about, '', ...CALLERS.map(() => verdict)]];
    }
    return ROOM_KINDS.map((kind) => [nameOf(name), about, kind, ...cells(rooms[kind])]);
  });
  return table(['rule', 'about', 'room', ...CALLERS], rows);
}

const cells = (row: Row): string[] => CALLERS.map((caller) => (row[caller] === 'ok' ? 'yes' : `\`${row[caller]}\``));

function codesUsed(): string {
  const rows = Object.values(RULES).flatMap((rule) => ('rooms' in rule ? Object.values(rule.rooms) : []));
  const codes = new Set(rows.flatMap((row) => Object.values(row)).filter((verdict) => verdict !== 'ok'));
  const said = [...codes].map(
    (code: RefusalCode) => `\`${code}\` ${REFUSALS[code].http} (gRPC ${REFUSALS[code].grpc})`,
  );
  return `${said.join(', ')}.`;
}

/** As prettier writes it. */
function table(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = heading.map((word, i) => Math.max(word.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, i) => (row[i] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(heading), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join('\n');
}
