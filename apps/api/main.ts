/** The HTTP service as a process of its own: commands and queries, accounts, the page. */
import { runService } from '#service';
import { startApiProcess } from './start-api.js';

await runService('api', startApiProcess);
