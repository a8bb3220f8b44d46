import type { Child } from './held-process.js';

const FIRST_DELAY_MS = 100;
const LAST_DELAY_MS = 5_000;

/**
 * Starts a child again whenever it ends unasked, on the same port and data: at once, then with doubling delays for as long as it
 * does not come up. `say` hears about each end and each failure. Stop it through what is returned, not directly.
 */
export function keepRunning(child: Child, say: (text: string) => void): { stop(): Promise<void> } {
  let isStopping = false;
  let reviving: Promise<void> | undefined;
  const revive = async (): Promise<void> => {
    for (let delayMs = FIRST_DELAY_MS; !isStopping; delayMs = Math.min(delayMs * 2, LAST_DELAY_MS)) {
      try {
        await child.restart();
        return say(`${child.title} runs again (pid ${child.pid})`);
      } catch (error) {
        say(error instanceof Error ? error.message : String(error));
        await new Promise((resolve) => setTimeout(resolve, delayMs));
      }
    }
  };
  child.onExit((how) => {
    if (isStopping) return;
    say(`${child.title} ended (${how}), starting it again`);
    reviving = revive().finally(() => (reviving = undefined));
  });
  return {
    stop: async () => {
      isStopping = true;
      await reviving;
      await child.stop();
    },
  };
}
