/** Where the archive for a remote host comes from: a package has it, a checkout makes it. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { StageFailure } from './host/machine/machine.ts';
import type { Bundle } from './host/remote-host/install.ts';
import type { Paths } from './paths.ts';

const run = promisify(execFile);

interface Manifest {
  version: string;
  sizeBytes: number;
  sha256: string;
}

export async function bundleFor(
  { bundleCommand, bundleDirectory }: Pick<Paths, 'bundleCommand' | 'bundleDirectory'>,
  architecture: 'amd64' | 'arm64',
): Promise<Bundle> {
  const directory = join(bundleDirectory, architecture);
  const [program = '', ...words] = bundleCommand;
  if (existsSync(program))
    try {
      await run(program, [...words, '--arch', architecture]);
    } catch (error) {
      const said = (error as { stderr?: string }).stderr?.trim().split('\n').at(-1);
      throw new StageFailure(
        `What is brought to the computer could not be made for ${architecture}: ${said || (error as Error).message}`,
        `Run "${program} --arch ${architecture}" in a terminal to see why.`,
        { cause: error },
      );
    }
  try {
    const manifest: Manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8'));
    const { version, sizeBytes, sha256 } = manifest;
    return { version, sizeBytes, sha256, path: join(directory, 'bundle.tar.gz') };
  } catch (error) {
    throw new StageFailure(
      `This app has no engine to bring to a computer with ${architecture}: ${(error as Error).message}`,
      'Install the app again.',
      { cause: error },
    );
  }
}
