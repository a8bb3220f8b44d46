/** `parley db`: a way into the read models, for looking. */
import { spawn } from 'node:child_process';
import { ConfigError } from '#service';
import { EXIT, type OperatorCommand, parsedArgs, positionals } from './command.js';

export const db: OperatorCommand = {
  usage: `parley db [--prompt]      the read models' connection line, or psql on it

  --prompt   open psql, where there is one
  --json     {"url": ...}

The line holds the password. Look, and change nothing: what is written there by hand is lost at the next rebuild.`,
  async run({ args, report, config, streams }) {
    const { values, positionals: rest } = parsedArgs(args, { prompt: { type: 'boolean' } });
    positionals(rest, []);
    const url = config().databaseUrl;
    if (url === undefined)
      throw new ConfigError('DATABASE_URL is not set, and nothing runs here: npm start, or set it');
    if (values.prompt === true) return prompt(url, streams.env);
    report.line(`psql '${url}'`);
    await report.item({ url });
    return EXIT.ok;
  },
};

/** The password goes by the environment, where no process list shows it. */
function prompt(url: string, inherited: NodeJS.ProcessEnv): Promise<number> {
  const shown = new URL(url);
  const password = decodeURIComponent(shown.password);
  shown.password = '';
  const env = { ...inherited, PGPASSWORD: password };
  return new Promise((resolve, reject) => {
    const child = spawn('psql', [shown.href], { stdio: 'inherit', env });
    child.on('error', (cause) => {
      const isMissing = 'code' in cause && cause.code === 'ENOENT';
      reject(
        new Error(isMissing ? 'there is no psql here: parley db prints the line for another client' : cause.message),
      );
    });
    child.on('exit', (code) => resolve(code ?? EXIT.failed));
  });
}
