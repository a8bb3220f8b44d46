/**
 * The capacity model: what a number of connected users takes in gateways, broker nodes, partitions, database, bandwidth and money.
 * Pure arithmetic over a workload, the measured unit costs and a kind of machine. It adds up; it does not guess how things queue,
 * so every machine is filled to `fill` only.
 */
import type { UnitCosts } from './unit-costs.js';

export interface Workload {
  /** Users that are connected in the busiest hour. */
  readonly connected: number;
  /** Accounts for each of them. */
  readonly accountsPerConnected: number;
  readonly connectionsPerUser: number;
  readonly roomsPerAccount: number;
  readonly membersPerRoom: number;
  /** In the busiest hour, of a connected user. */
  readonly sendsPerHour: number;
  readonly pagesPerHour: number;
  readonly reconnectsPerHour: number;
  /** The busiest hour's share of the day's messages. */
  readonly busiestHourShare: number;
  readonly keptDays: number;
}

export const WORKLOAD: Omit<Workload, 'connected'> = {
  accountsPerConnected: 5,
  connectionsPerUser: 1.2,
  roomsPerAccount: 50,
  membersPerRoom: 50,
  sendsPerHour: 10,
  pagesPerHour: 12,
  reconnectsPerHour: 2,
  busiestHourShare: 0.12,
  keptDays: 90,
};

export interface Machine {
  readonly name: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly networkBytesPerSecond: number;
  readonly monthlyPrice: number;
  /** How full anything is planned to be. */
  readonly fill: number;
}

const GB = 1e9;

/** Two kinds that any provider rents; prices are round numbers to compare plans by, not offers. */
export const MACHINES: readonly Machine[] = [
  {
    name: 'small',
    cores: 4,
    memoryBytes: 16 * GB,
    diskBytes: 1_000 * GB,
    networkBytesPerSecond: 0.125 * GB,
    monthlyPrice: 80,
    fill: 0.5,
  },
  {
    name: 'large',
    cores: 16,
    memoryBytes: 64 * GB,
    diskBytes: 8_000 * GB,
    networkBytesPerSecond: 1.25 * GB,
    monthlyPrice: 400,
    fill: 0.5,
  },
];

/** Money for what leaves the building. */
const TRAFFIC_PRICE_PER_GB = 0.01;
const SECONDS_PER_MONTH = 30 * 86_400;
const REPLICAS = 3;
const IDS_REMEMBERED_SECONDS = 120;
/** A part of the platform never stands on fewer. */
const GATEWAYS_MIN = 2;
const PARTITIONS_MAX = 1_024;

/** What happens a second, in the busiest hour. */
export interface Rates {
  readonly sends: number;
  readonly deliveries: number;
  readonly pages: number;
  readonly opens: number;
}

/** Need of one part in one resource, and how many machines that takes. */
export interface Need {
  readonly part: 'gateway' | 'commands' | 'broker' | 'database';
  readonly of: string;
  readonly machines: number;
}

export interface Plan {
  readonly workload: Workload;
  readonly rates: Rates;
  /** Independent clusters, each with its own broker, database and share of the rooms. */
  readonly cells: number;
  /** In one cell. */
  readonly gateways: number;
  readonly commandMachines: number;
  readonly brokerNodes: number;
  readonly databaseMachines: number;
  readonly partitions: number;
  readonly machine: string;
  /** What one cluster was too small for. */
  readonly splitBy: readonly Wall[];
  /** What decides each part's number. */
  readonly walls: readonly Need[];
  readonly machines: number;
  readonly subjectBytes: number;
  readonly logBytes: number;
  readonly viewBytes: number;
  readonly clientBytesPerSecond: number;
  readonly noticeBytesPerSecondEach: number;
  readonly monthlyPrice: number;
  /** How long the users of one lost gateway take to be back, on the others. */
  readonly gatewayLossSeconds: number;
}

/** Past any of these a cluster is split into cells: what one is planned with at most, each with the reason that it is a wall. */
const CELL_MAX = {
  brokerNodes: [
    15,
    'every broker node holds the interest of every gateway, and all of them share one group of leaders',
  ],
  gateways: [64, 'every gateway reads the tails notices of the whole cell'],
  databaseMachines: [8, 'one primary takes every write; the others only answer queries'],
  partitions: [PARTITIONS_MAX, 'a position holds ten bits of partition'],
} as const;

type Wall = keyof typeof CELL_MAX;

export const whyWall = (wall: Wall): string => CELL_MAX[wall][1];

/** The cheapest plan of all kinds of machine. */
export function plan(workload: Workload, costs: UnitCosts, machines = MACHINES): Plan {
  const plans = machines.map((machine) => planOn(workload, machine, costs));
  return plans.reduce((cheapest, each) => (each.monthlyPrice < cheapest.monthlyPrice ? each : cheapest));
}

/** The smallest number of equal cells that stays within what one cluster is planned with. */
function planOn(workload: Workload, machine: Machine, costs: UnitCosts): Plan {
  const splitBy = new Set<Wall>();
  for (let cells = 1; ; cells += Math.ceil(cells / 8)) {
    const cell = planCell({ ...workload, connected: workload.connected / cells }, machine, costs);
    const walls = (Object.keys(CELL_MAX) as Wall[]).filter((wall) => cell[wall] > CELL_MAX[wall][0]);
    if (walls.length === 0) return { ...times(cell, cells, workload), splitBy: [...splitBy] };
    walls.forEach((wall) => splitBy.add(wall));
  }
}

function planCell(workload: Workload, machine: Machine, costs: UnitCosts): Plan {
  const rates = ratesOf(workload);
  const partitions = partitionsFor(rates.sends, costs, machine.fill);
  const gateway = gatewayNeeds(workload, rates, machine, costs);
  const broker = brokerNeeds(workload, rates, most(gateway, GATEWAYS_MIN), machine, costs);
  const database = databaseNeeds(workload, rates, machine, costs);
  const commands = [
    need('commands', 'CPU of deciding', rates.sends * costs.decideSeconds, machine.cores * machine.fill),
  ];
  const numbers = {
    gateways: most(gateway, GATEWAYS_MIN),
    commandMachines: most(commands, 2),
    brokerNodes: most(broker, REPLICAS),
    databaseMachines: most(database, 2),
  };
  const machines = Object.values(numbers).reduce((sum, each) => sum + each, 0);
  const clientBytesPerSecond = rates.deliveries * costs.frameBytes;
  const accounts = workload.connected * workload.accountsPerConnected;
  return {
    workload,
    rates,
    cells: 1,
    machine: machine.name,
    splitBy: [],
    ...numbers,
    partitions,
    walls: [gateway, commands, broker, database].map(decisive),
    machines,
    subjectBytes: accounts * workload.roomsPerAccount * costs.subjectBytes,
    logBytes: storedMessages(workload) * costs.loggedBytes,
    viewBytes: storedMessages(workload) * costs.viewBytes,
    clientBytesPerSecond,
    noticeBytesPerSecondEach: rates.sends * costs.noticeEntryBytes,
    monthlyPrice:
      machines * machine.monthlyPrice +
      ((clientBytesPerSecond * SECONDS_PER_MONTH) / (24 * workload.busiestHourShare) / GB) * TRAFFIC_PRICE_PER_GB,
    gatewayLossSeconds: lossSeconds(workload, numbers.gateways, machine, costs),
  };
}

function ratesOf({ connected, sendsPerHour, pagesPerHour, reconnectsPerHour, ...workload }: Workload): Rates {
  const sends = (connected * sendsPerHour) / 3_600;
  const listeners = (workload.membersPerRoom / workload.accountsPerConnected) * workload.connectionsPerUser;
  return {
    sends,
    deliveries: sends * Math.max(1, listeners),
    pages: (connected * pagesPerHour) / 3_600,
    opens: (connected * workload.connectionsPerUser * reconnectsPerHour) / 3_600,
  };
}

function gatewayNeeds(workload: Workload, rates: Rates, machine: Machine, costs: UnitCosts): Need[] {
  const cores = machine.cores * machine.fill;
  const work =
    rates.deliveries * costs.deliverySeconds +
    rates.opens * costs.openSeconds +
    rates.sends * costs.edgeSendSeconds +
    copies(workload, rates, Infinity) * costs.liveEventSeconds;
  // Every gateway process reads every notice, so this share of each core is gone before the first user is served.
  const noticeShare = rates.sends * costs.noticeEntrySeconds;
  const connections = workload.connected * workload.connectionsPerUser;
  const memory = connections * costs.connectionBytes;
  const left = Math.max(0.01, 1 - noticeShare) * cores;
  return [
    need(
      'gateway',
      'connections that a process is planned with',
      connections,
      machine.cores * costs.connectionsPerProcess,
    ),
    need('gateway', 'memory of connections', memory, machine.memoryBytes * machine.fill),
    need('gateway', noticeShare > 0.2 ? 'CPU, much of it for tails notices' : 'CPU of deliveries', work, left),
    need(
      'gateway',
      'bandwidth to clients',
      rates.deliveries * costs.frameBytes,
      machine.networkBytesPerSecond * machine.fill,
    ),
  ];
}

/** A room's event goes to each gateway that has a reader of it. */
function copies(workload: Workload, rates: Rates, gateways: number): number {
  const listeners = (workload.membersPerRoom / workload.accountsPerConnected) * workload.connectionsPerUser;
  const reached = Number.isFinite(gateways) ? gateways * (1 - (1 - 1 / gateways) ** listeners) : listeners;
  return rates.sends * Math.max(1, reached);
}

function brokerNeeds(workload: Workload, rates: Rates, gateways: number, machine: Machine, costs: UnitCosts): Need[] {
  const accounts = workload.connected * workload.accountsPerConnected;
  const subjects = accounts * workload.roomsPerAccount * (1 + 3 / workload.membersPerRoom);
  const memory = subjects * costs.subjectBytes + rates.sends * IDS_REMEMBERED_SECONDS * costs.rememberedIdBytes;
  // Interest stands on every node, however many there are.
  const interest = workload.connected * costs.interestBytes;
  const room = Math.max(1, machine.memoryBytes * machine.fill - interest);
  const fanned = copies(workload, rates, gateways);
  const traffic =
    fanned * costs.loggedBytes + rates.sends * (costs.loggedBytes * REPLICAS + costs.noticeEntryBytes * gateways);
  const perNode = atMost(costs.syncedAppendsPerSecond);
  return [
    need('broker', 'memory of subjects', memory * REPLICAS, room),
    need('broker', 'synced appends', rates.sends * REPLICAS, perNode * machine.fill),
    need(
      'broker',
      'CPU',
      rates.sends * costs.appendSeconds * REPLICAS + fanned * costs.copySeconds,
      machine.cores * machine.fill,
    ),
    need('broker', 'bandwidth', traffic, machine.networkBytesPerSecond * machine.fill),
    need('broker', 'disk', storedMessages(workload) * costs.loggedBytes * REPLICAS, machine.diskBytes * machine.fill),
  ];
}

function databaseNeeds(workload: Workload, rates: Rates, machine: Machine, costs: UnitCosts): Need[] {
  const cores = machine.cores * machine.fill;
  const disk = storedMessages(workload) * costs.viewBytes;
  return [
    need(
      'database',
      'CPU of projecting and of pages',
      rates.sends * costs.projectSeconds + rates.pages * costs.pageSeconds,
      cores,
    ),
    // A standby holds all of it once more.
    need('database', 'disk', disk * 2, machine.diskBytes * machine.fill),
  ];
}

const storedMessages = ({ connected, sendsPerHour, busiestHourShare, keptDays }: Workload): number =>
  ((connected * sendsPerHour) / busiestHourShare) * keptDays;

/** Streams enough that no disk has to sync more than it can, each kept to `fill`. */
function partitionsFor(sends: number, { syncedAppendsPerSecond: [one] }: UnitCosts, fill: number): number {
  const each = (one?.[1] ?? 1) * fill;
  return Math.max(4, 2 ** Math.ceil(Math.log2(Math.max(1, sends / each))));
}

const atMost = (measured: UnitCosts['syncedAppendsPerSecond']): number => Math.max(...measured.map(([, rate]) => rate));

/** All connections of one lost gateway sign in again at the others, which give it what they have left. */
function lossSeconds(workload: Workload, gateways: number, machine: Machine, costs: UnitCosts): number {
  const lost = (workload.connected * workload.connectionsPerUser) / gateways;
  const spare = Math.max(1, gateways - 1) * machine.cores * (1 - machine.fill);
  return (lost * costs.openSeconds) / spare;
}

const need = (part: Need['part'], of: string, amount: number, perMachine: number): Need => ({
  part,
  of,
  machines: amount / perMachine,
});

const most = (needs: readonly Need[], least: number): number =>
  Math.max(least, ...needs.map(({ machines }) => Math.ceil(machines)));

const decisive = (needs: readonly Need[]): Need =>
  needs.reduce((highest, each) => (each.machines > highest.machines ? each : highest));

function times(cell: Plan, cells: number, workload: Workload): Plan {
  const { rates } = cell;
  return {
    ...cell,
    workload,
    cells,
    rates: {
      sends: rates.sends * cells,
      deliveries: rates.deliveries * cells,
      pages: rates.pages * cells,
      opens: rates.opens * cells,
    },
    machines: cell.machines * cells,
    subjectBytes: cell.subjectBytes * cells,
    logBytes: cell.logBytes * cells,
    viewBytes: cell.viewBytes * cells,
    clientBytesPerSecond: cell.clientBytesPerSecond * cells,
    monthlyPrice: cell.monthlyPrice * cells,
  };
}
