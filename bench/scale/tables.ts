/** The model's answers as the tables of docs/SCALE.md. */
import { whyWall, WORKLOAD, type Plan } from './model.js';
import type { SourcedCosts } from './unit-costs.js';

const BEGIN = '<!-- simulated: npm run simulate -- --write -->';
const END = '<!-- end of what is simulated -->';

/** The page with its tables replaced. @throws Error when the page has no place for them */
export function withTables(page: string, plans: readonly Plan[], costs: SourcedCosts): string {
  const [before, rest] = page.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error(`docs/SCALE.md has no "${BEGIN}" with an end`);
  return `${before}${BEGIN}\n\n${scaleTables(plans, costs)}\n${END}${after}`;
}

export function scaleTables(plans: readonly Plan[], costs: SourcedCosts): string {
  return [assumptions(costs), capacity(plans), decisions(plans)].join('\n');
}

function assumptions({ costs, sources }: SourcedCosts): string {
  const workload = Object.entries(WORKLOAD).map(([name, value]) => `${name} ${value}`);
  const rows = Object.entries(costs).map(([name, value]) => [
    name,
    costText(name, value as number | readonly (readonly number[])[]),
    sources[name as keyof typeof sources],
  ]);
  return `Workload: ${workload.join(', ')}.\n\n${table(['unit cost', 'value', 'where it comes from'], rows)}`;
}

function costText(name: string, value: number | readonly (readonly number[])[]): string {
  if (typeof value !== 'number') return value.map(([streams, rate]) => `${count(rate ?? NaN)} (${streams})`).join(', ');
  if (name.endsWith('Seconds')) return `${Number((value * 1e6).toPrecision(3))} us`;
  return name.endsWith('Bytes') ? `${count(value)} B` : count(value);
}

const ROWS: readonly (readonly [string, (plan: Plan) => string])[] = [
  ['sends a second, busiest hour', ({ rates }) => count(rates.sends)],
  ['deliveries a second', ({ rates }) => count(rates.deliveries)],
  ['pages of history a second', ({ rates }) => count(rates.pages)],
  ['connections opened a second', ({ rates }) => count(rates.opens)],
  ['memory of member subjects, each replica', ({ subjectBytes }) => bytes(subjectBytes)],
  ['log kept, one replica', ({ logBytes }) => bytes(logBytes)],
  ['views kept', ({ viewBytes }) => bytes(viewBytes)],
  ['to clients', ({ clientBytesPerSecond }) => `${bytes(clientBytesPerSecond)}/s`],
  ['tails notices, to each gateway', ({ noticeBytesPerSecondEach }) => `${bytes(noticeBytesPerSecondEach)}/s`],
  ['**cells**', ({ cells }) => count(cells)],
  ['machines: kind', ({ machine }) => machine],
  ['gateways in a cell', ({ gateways }) => count(gateways)],
  ['command machines in a cell', ({ commandMachines }) => count(commandMachines)],
  ['broker nodes in a cell', ({ brokerNodes }) => count(brokerNodes)],
  ['database machines in a cell', ({ databaseMachines }) => count(databaseMachines)],
  ['partitions in a cell', ({ partitions }) => count(partitions)],
  ['**machines in all**', ({ machines }) => count(machines)],
  ['a lost gateway: everybody back after', ({ gatewayLossSeconds }) => `${gatewayLossSeconds.toFixed(1)} s of CPU`],
  ['a month, in units of the price list', ({ monthlyPrice }) => count(monthlyPrice)],
  [
    'the same for 1,000 connected users',
    ({ monthlyPrice, workload }) => ((monthlyPrice / workload.connected) * 1_000).toFixed(2),
  ],
];

function capacity(plans: readonly Plan[]): string {
  const head = ['connected users', ...plans.map(({ workload }) => count(workload.connected))];
  return table(
    head,
    ROWS.map(([name, of]) => [name, ...plans.map(of)]),
  );
}

function decisions(plans: readonly Plan[]): string {
  const rows = plans.flatMap(({ workload, walls, splitBy }) => [
    ...walls.map(({ part, of, machines }) => [
      count(workload.connected),
      part,
      `${of} (${machines.toPrecision(2)} machines)`,
    ]),
    ...splitBy.map((wall) => [count(workload.connected), 'cells', whyWall(wall)]),
  ]);
  return table(['connected users', 'part', 'what decides'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, at) => Math.max(3, ...[head, ...rows].map((row) => row[at]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |`;
  return `${[line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')}\n`;
}

const count = (number: number): string =>
  number < 10 && !Number.isInteger(number) ? number.toFixed(1) : Math.round(number).toLocaleString('en-US');

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'];

function bytes(number: number): string {
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(number) / 3)));
  return `${(number / 1_000 ** step).toPrecision(3)} ${UNITS[step]}`;
}
