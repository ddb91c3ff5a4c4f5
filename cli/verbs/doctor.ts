/** `corten doctor`: what this host offers to the engine, and what to do about what is missing. */

import { checkHost } from '../host-checks.ts';
import { aligned } from '../table.ts';
import type { Verb } from '../verb.ts';

export const doctorVerb: Verb = (program, session) => {
  program
    .command('doctor')
    .description('check what this computer offers; ends with 1 if something needed is missing')
    .option('--json', 'as JSON')
    .action(({ json }) => {
      const checks = checkHost();
      session.exitCode = checks.some(({ status }) => status === 'missing') ? 1 : 0;
      if (json) return session.printJson(checks);
      session.print(
        aligned(
          checks.map(({ what, status, found, fix }) => [
            status,
            what,
            status === 'ok' ? found : `${found}. ${fix}`,
          ]),
        ),
      );
    });
};
