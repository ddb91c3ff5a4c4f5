/** `corten rm` */
import { eachContainer } from '../engine/each-container.ts';
import type { Verb } from '../verb.ts';

export const rmVerb: Verb = (program, session) => {
  program
    .command('rm')
    .description('remove containers')
    .argument('<container...>', 'names or ids')
    .option('-f, --force', 'also those that run')
    .option('-v, --volumes', 'and their anonymous volumes')
    .action(async (names: string[], { force, volumes }) => {
      const query = `?force=${Number(force ?? false)}&v=${Number(volumes ?? false)}`;
      await eachContainer(session, names, (engine, name) =>
        engine.ask('DELETE', `/containers/${name}${query}`),
      );
    });
};
