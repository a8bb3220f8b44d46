/** For tests: a process of its own that takes as many seats of a room as it can get, and prints how many it got. */
import { connect } from '@nats-io/transport-node';
import { ContractRoom, takeSeat } from './contract-room.js';
import { openEventLog } from './open.js';

const [url = '', roomId = '', name = '', seats = '0', users = '0', partitions = '1'] = process.argv.slice(2);
const connection = await connect({ servers: url });
const log = await openEventLog(connection, { partitions: Number(partitions) });
const room = new ContractRoom(log.partitions, roomId);
process.stdout.write('ready\n');
await new Promise((resolve) => process.stdin.once('data', resolve));
// Four at a time, as a command service that lets joins of one room queue up would.
let user = 0;
let taken = 0;
async function join(): Promise<void> {
  while (user < Number(users)) if (await takeSeat(log, room, `${name}-${user++}`, Number(seats))) taken++;
}
await Promise.all([join(), join(), join(), join()]);
process.stdout.write(`${taken}\n`);
await connection.close();
process.exit(0);
