/** The write side as a process of its own: `COMMANDS=send,join` serves two of its four services, unset all of them. */
import { runService } from '#service';
import { startCommands } from './start-commands.js';

await runService('commands', startCommands);
