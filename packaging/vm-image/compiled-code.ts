/** What V8 makes of the agent's script, so that no machine has to (packaging/vm-image/guest/load.js). */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { guestFile } from './root.ts';

/**
 * The same at each build: V8 draws the same numbers, and collects no garbage, which moves what it has compiled about in an order
 * that depends on its threads. None of these is among the flags that must be the same where the code is used.
 */
const repeatable = [
  ...['--random-seed=1', '--predictable'],
  ...['--min-semi-space-size=64', '--max-semi-space-size=64'],
];

/** The Node that builds must be the image's: V8 takes no code of another version or processor. */
export function compiledCode(script: Buffer, repository: string): Buffer {
  // In the repository, where the libraries that the script loads are found.
  const work = mkdtempSync(join(repository, 'dist/code-'));
  try {
    const directory = join(work, 'dist/agent');
    mkdirSync(directory, { recursive: true });
    copyFileSync(join(repository, 'package.json'), join(work, 'package.json'));
    writeFileSync(join(directory, 'guest-agent.cjs'), script);
    writeFileSync(join(directory, 'guest-main.js'), guestFile('load.js'));
    const written = join(work, 'code');
    execFileSync(process.execPath, [...repeatable, join(directory, 'guest-main.js')], {
      env: { CORTEN_WRITE_CODE: written },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    return readFileSync(written);
  } finally {
    rmSync(work, { recursive: true });
  }
}
