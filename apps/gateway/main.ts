/** Live delivery as a process of its own: sockets, and their health. */
import { runService } from '#service';
import { startGateway } from './start-gateway.js';

await runService('gateway', startGateway);
