/**
 * Checks whether this Windows can run the machine. wsl.exe's sentences are translated, so only numbers,
 * URLs and exit codes are used (https://learn.microsoft.com/windows/wsl/basic-commands).
 */
import { StageFailure } from '../machine/machine.ts';
import { callWsl, type WslProgram } from './command.ts';
import { virtualizationOff } from './failures.ts';

export interface WslFacts {
  /** The version of the WSL package, such as `2.6.1.0`. */
  version: string;
  kernel: string;
}

/**
 * 2.0 is the first whose kernel reaches cgroup v2 files that the engine uses, and whose package
 * updates itself; what came with Windows 10 does not know `--version` at all.
 */
const oldestMajor = 2;

export async function detectWsl(wsl: WslProgram, signal: AbortSignal): Promise<WslFacts> {
  // Both commands run at once, because each takes at least a tenth of a second.
  const [version, status] = await Promise.all([
    callWsl(wsl, ['--version'], { signal }),
    callWsl(wsl, ['--status'], { signal }),
  ]);
  const facts = versionsIn(version);
  // Without a hypervisor wsl.exe prints this URL, with exit code 0.
  if (status.output.includes('aka.ms/enablevirtualization'))
    throw new StageFailure(virtualizationOff.cause, virtualizationOff.nextStep);
  if (facts === undefined) {
    // The wsl.exe that comes with Windows can only install WSL, and fails for other commands.
    if (status.code !== 0)
      throw new StageFailure(
        'Windows Subsystem for Linux is not installed.',
        'Run "wsl --install --no-distribution" in a terminal as administrator, and restart Windows.',
      );
    throw tooOld('the one that came with Windows');
  }
  if (Number(facts.version.split('.')[0]) < oldestMajor) throw tooOld(facts.version);
  return facts;
}

function tooOld(version: string): StageFailure {
  return new StageFailure(
    `This version of WSL is too old (${version}); the machine needs ${oldestMajor}.0 or later.`,
    'Run "wsl --update" in a terminal, then start the machine again.',
  );
}

/** The first line has WSL's version, the second the kernel's. */
function versionsIn({ code, output }: { code: number; output: string }): WslFacts | undefined {
  if (code !== 0) return undefined;
  const [version, kernel] = output
    .split('\n')
    .map((line) => /\d+(?:\.\d+){2,}[-.\w]*/.exec(line)?.[0])
    .filter((found) => found !== undefined);
  return version === undefined || kernel === undefined ? undefined : { version, kernel };
}
