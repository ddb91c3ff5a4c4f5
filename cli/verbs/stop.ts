/** `corten stop` */
import { eachContainer } from '../engine/each-container.ts';
import { CommandFailure } from '../failure.ts';
import { readSeconds } from '../sizes.ts';
import type { Verb } from '../verb.ts';

const endsWithinMs = 30_000;
const pollMs = 100;

export const stopVerb: Verb = (program, session) => {
  program
    .command('stop')
    .description('stop containers; without a name, the app (containers of this computer run on)')
    .argument('[container...]', 'names or ids')
    .option('-t, --time <seconds>', 'before a container is killed (default: its own)', readSeconds)
    .action(async (names: string[], { time }: { time?: number }) => {
      if (names.length > 0) {
        const query = time === undefined ? '' : `?t=${time}`;
        await eachContainer(session, names, (engine, name) =>
          engine.ask('POST', `/containers/${name}/stop${query}`),
        );
        return;
      }
      const { pid } = (await session.app()).facts;
      process.kill(pid, 'SIGTERM');
      if (!(await hasEnded(pid)))
        throw new CommandFailure(
          `The app (process ${pid}) has not ended after ${endsWithinMs / 1000} s.`,
          `End it with \`kill -9 ${pid}\`.`,
        );
      session.print('Corten is stopped.');
    });
};

async function hasEnded(pid: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < endsWithinMs; waitedMs += pollMs) {
    try {
      process.kill(pid, 0);
    } catch {
      // The process is gone.
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return false;
}
