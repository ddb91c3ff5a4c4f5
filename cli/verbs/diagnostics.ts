/** `corten diagnostics` */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { checkout } from '../session.ts';
import type { Verb } from '../verb.ts';

export const diagnosticsVerb: Verb = (program, session) => {
  program
    .command('diagnostics')
    .description("write an archive of the engine's versions, lists and log, without secrets")
    .argument('[file]', 'the archive', 'corten-diagnostics.tar.gz')
    .action((file: string) => {
      const { rootDirectory, runDirectory } = session;
      // The same program as scripts/diagnostics, with the directories that were chosen here.
      const words = ['--root', rootDirectory, '--run', runDirectory, file];
      const program = join(checkout, 'electron/diagnostics.ts');
      const { status } = spawnSync(process.execPath, [...process.execArgv, program, ...words], {
        stdio: 'inherit',
      });
      session.exitCode = status ?? 1;
    });
};
