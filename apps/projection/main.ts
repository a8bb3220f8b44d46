/** The read side's writer as a process of its own. Any number may run: each partition has one leader, the others stand by. */
import { runService } from '#service';
import { startProjection } from './start-projection.js';

await runService('projection', startProjection);
