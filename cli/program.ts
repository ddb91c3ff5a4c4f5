/** The tree of verbs, and how one command line becomes an exit code. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { CommandFailure } from './failure.ts';
import type { Io } from './io.ts';
import { checkout, Session } from './session.ts';
import type { Verb } from './verb.ts';
import { completionVerb } from './verbs/completion.ts';
import { contextVerb } from './verbs/context.ts';
import { diagnosticsVerb } from './verbs/diagnostics.ts';
import { doctorVerb } from './verbs/doctor.ts';
import { execVerb } from './verbs/exec.ts';
import { limitsVerb } from './verbs/limits.ts';
import { logsVerb } from './verbs/logs.ts';
import { machineVerbs } from './verbs/machine/machine.ts';
import { openVerb } from './verbs/open.ts';
import { psVerb } from './verbs/ps.ts';
import { rmVerb } from './verbs/rm.ts';
import { runVerb } from './verbs/run.ts';
import { shellVerb } from './verbs/shell.ts';
import { startVerb } from './verbs/start.ts';
import { statusVerb } from './verbs/status.ts';
import { stopVerb } from './verbs/stop.ts';

const groups: Record<string, readonly Verb[]> = {
  'The app and its engine:': [startVerb, stopVerb, statusVerb, openVerb, logsVerb],
  'Containers:': [runVerb, psVerb, execVerb, shellVerb, limitsVerb, rmVerb],
  'Machines:': [machineVerbs],
  'This computer:': [contextVerb, doctorVerb, diagnosticsVerb, completionVerb],
};

export function createProgram(io: Io): { program: Command; session: Session } {
  const program = new Command('corten')
    .description('Containers, the machines they run on, and the Corten app, from a terminal.')
    .version(productVersion(), '-V, --version', 'print the version')
    .option('--root <dir>', "the engine's state (default: as scripts/start has it)")
    .option('--run <dir>', "the engine's sockets (default: as scripts/start has it)")
    .option('-m, --machine <name>', "a machine of the app (default: this computer's own engine)")
    .addHelpText(
      'after',
      `
Exit codes: 0 done, 1 failed, 2 wrong usage. "run", "exec" and "shell" pass on the container's own
code; theirs are 125 (Corten failed), 126 (the command cannot run) and 127 (it was not found).

Help of one command: corten COMMAND --help
Options above stand before the command.

Example: corten run --rm corten/starter echo hello`,
    )
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .showHelpAfterError('corten --help shows the usage.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.output.write(text),
      writeErr: (text) => io.errors.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'corten: ')),
    });
  const session = new Session(io, () => program.opts());
  for (const [heading, verbs] of Object.entries(groups)) {
    program.commandsGroup(heading);
    for (const verb of verbs) verb(program, session);
  }
  return { program, session };
}

/** Never throws: what went wrong is on the error output, in words for people. */
export async function runCorten(words: readonly string[], io: Io): Promise<number> {
  const { program, session } = createProgram(io);
  try {
    await program.parseAsync(words.length === 0 ? ['--help'] : words, { from: 'user' });
    return session.exitCode;
  } catch (error) {
    return exitCodeOf(error, io);
  } finally {
    session.close();
  }
}

function exitCodeOf(error: unknown, io: Io): number {
  // Commander has printed its message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const { message } = error as Error;
  const [nextStep, exitCode] =
    error instanceof CommandFailure ? [error.nextStep, error.exitCode] : ['', 1];
  io.errors.write(`corten: ${message}${nextStep === '' ? '' : ` ${nextStep}`}\n`);
  return exitCode;
}

function productVersion(): string {
  return JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')).version;
}
