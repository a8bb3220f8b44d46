#!/usr/bin/env node
/** `parley`: the terminal client and the operator's tool. What a command needs is loaded when it is named, so that a chat starts at once. */

const [name = '', ...args] = process.argv.slice(2);
// A reader that has seen enough (`parley log tail | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
if (name === 'chat') {
  const { runChat } = await import('./chat/run-chat.js');
  process.exit(await runChat(args, process.env, process));
}
const { operate } = await import('./operate/operate.js');
process.exit(await operate(name, args, process));
