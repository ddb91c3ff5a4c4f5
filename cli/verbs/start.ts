/** `corten start` */
import { spawn } from 'node:child_process';
import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { Option } from 'commander';
import { machineChoices } from '../../electron/paths.ts';
import { CommandFailure } from '../failure.ts';
import { checkout, type Session } from '../session.ts';
import type { Verb } from '../verb.ts';

/** The first start sets up what is missing. */
const readyWithinMs = 10 * 60_000;
const pollMs = 200;

export const startVerb: Verb = (program, session) => {
  program
    .command('start')
    .description('start the app in the background, with the engine, and print a link to it')
    .addOption(
      new Option(
        '--kind <kind>',
        "what runs the engine (default: this system's usual one)",
      ).choices(machineChoices),
    )
    .action(async ({ kind }: { kind?: string }) => {
      const running = await session.runningApp();
      if (running !== undefined) {
        session.print(
          `Corten runs already (process ${running.facts.pid}). Show it with \`corten open\`.`,
        );
        return;
      }
      const { rootDirectory, runDirectory } = session;
      mkdirSync(runDirectory, { recursive: true, mode: 0o711 });
      const logPath = join(runDirectory, 'app.log');
      const log = openSync(logPath, 'a', 0o600);
      const words = ['--no-open', '--root', rootDirectory, '--run', runDirectory];
      if (kind !== undefined) words.push('--machine', kind);
      const app = spawn(join(checkout, 'scripts/start'), words, {
        stdio: ['ignore', log, log],
        detached: true,
      });
      const ended = new Promise<number | null>((resolve) => app.once('exit', resolve));
      app.unref();
      session.remark(`Starting; the log is ${logPath}`);
      await ready(session, ended, logPath);
      const { address } = await (await session.app()).link();
      session.print(address ?? 'Corten runs.');
    });
};

async function ready(session: Session, ended: Promise<unknown>, logPath: string): Promise<void> {
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  for (let waitedMs = 0; waitedMs < readyWithinMs; waitedMs += pollMs) {
    if ((await session.runningApp()) !== undefined) return;
    if (hasEnded) throw new CommandFailure('The app ended before it was ready.', `See ${logPath}.`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  throw new CommandFailure('The app is not ready after 10 minutes.', `See ${logPath}.`);
}
