/** `corten logs` */
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { withNextStep } from '../engine/each-container.ts';
import { copyFrames, copyRaw } from '../engine/frames.ts';
import { CommandFailure } from '../failure.ts';
import { readCount } from '../sizes.ts';
import type { Verb } from '../verb.ts';

export const logsVerb: Verb = (program, session) => {
  program
    .command('logs')
    .description('print what a container has written; without a name, the log of the engine')
    .argument('[container]', 'name or id')
    .option('-f, --follow', 'go on with what it writes from now on')
    .option('-n, --tail <lines>', 'only the last lines', readCount)
    .action(async (container: string | undefined, { follow, tail }) => {
      if (container === undefined) {
        const path = join(session.runDirectory, 'agent.log');
        if (!existsSync(path))
          throw new CommandFailure(
            `There is no log at ${path}.`,
            'The app writes it when it starts the engine: `corten start`.',
          );
        await copyRaw(createReadStream(path), session.io.output);
        return;
      }
      const engine = await session.engine();
      const name = encodeURIComponent(container);
      try {
        const { Config } = await engine.ask<{ Config: { Tty: boolean } }>(
          'GET',
          `/containers/${name}/json`,
        );
        const query = `stdout=1&stderr=1&follow=${Number(follow ?? false)}&tail=${tail ?? 'all'}`;
        const pieces = engine.stream('GET', `/containers/${name}/logs?${query}`);
        const { output, errors } = session.io;
        await (Config.Tty ? copyRaw(pieces, output) : copyFrames(pieces, output, errors));
      } catch (error) {
        throw withNextStep(error, 1);
      }
    });
};
