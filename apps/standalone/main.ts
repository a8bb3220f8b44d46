/** `npm start`: the whole platform in one process on one port. See servers.ts for what it stands on, platform.ts for what runs. */
import type { ConsoleLogger } from '@nestjs/common';
import { firstFreePort } from '#embedded';
import { type Config, type Running, runService } from '#service';
import { startPlatform } from './platform.js';
import { forgetData, startServers } from './servers.js';

await runService('standalone', start, { PARLEY_DEMO: demoByDefault() });

async function start(config: Config, logger: ConsoleLogger): Promise<Running> {
  const progress = (text: string): void => void process.stdout.write(`parley: ${text}\n`);
  if (process.argv.includes('--fresh')) await forgetData(config);
  const servers = await startServers(config, progress);
  try {
    const port = await firstFreePort(config.port);
    if (port !== config.port) progress(`port ${config.port} is taken, using ${port}`);
    // 0 asks for any port, and the server says which one it got.
    const grpcPort = config.grpcPort === 0 ? 0 : await firstFreePort(config.grpcPort);
    if (grpcPort !== config.grpcPort) progress(`port ${config.grpcPort} is taken, using ${grpcPort} for gRPC`);
    const given = { ...config, port, grpcPort, natsUrls: servers.natsUrls, databaseUrl: servers.databaseUrl };
    const platform = await startPlatform(given, logger);
    return {
      address: `http://${config.host}:${port}`,
      async stop() {
        await platform.stop();
        await servers.stop();
      },
    };
  } catch (error) {
    await servers.stop();
    throw error;
  }
}

/** The demo lets anyone act as a demo user, so it is on only where nobody else can reach it. */
function demoByDefault(): string {
  return [undefined, '', '127.0.0.1', '::1', 'localhost'].includes(process.env['HOST']) ? '1' : '0';
}
