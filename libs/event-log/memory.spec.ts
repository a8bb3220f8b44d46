import { logContract } from './log-contract.js';
import { MemoryLog } from './memory.js';

for (const order of ['fence-first', 'id-first'] as const) {
  const log = new MemoryLog({ order });
  const erase = async (partition: number, seq: number): Promise<void> => log.erase(partition, seq);
  logContract(`memory, ${order}`, () => ({ log, second: log, order, erase }));
}
