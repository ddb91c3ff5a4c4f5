/** The guest's own programs for its processor, which may not be this machine's. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Debian, packageFiles } from './debian.ts';

/** Debian's name for this computer's processor. */
export const hostArchitecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];

export async function shimFor(debian: Debian, repository: string): Promise<Buffer> {
  // scripts/setup has built it.
  if (debian.architecture === hostArchitecture)
    return readFileSync(join(repository, 'dist/shim/shim'));
  return await built(debian, join(repository, 'scripts/build-shim'));
}

/** The relay of WSL machines (packaging/vm-image/wsl). */
export async function relayFor(debian: Debian, repository: string): Promise<Buffer> {
  return await built(debian, join(repository, 'scripts/build-relay'));
}

/** `script` takes where to write to and, for the other processor, that one's musl and kernel headers. */
async function built(debian: Debian, script: string): Promise<Buffer> {
  if (debian.architecture === hostArchitecture)
    return await inWork((work) => run(script, join(work, 'program')));
  if (debian.architecture !== 'arm64')
    throw new Error(`${script} crosses to arm64 only, not to ${debian.architecture}`);
  const headers = debian.download(['musl-dev', 'linux-libc-dev']);
  const wanted = (path: string) => /^usr\/(include|lib)\//.test(path);
  return await inWork(async (work) => {
    for (const each of headers)
      for await (const { path, type, content } of packageFiles(each.path, wanted)) {
        if (type !== 'file') continue;
        mkdirSync(dirname(join(work, 'musl', path)), { recursive: true });
        writeFileSync(join(work, 'musl', path), content);
      }
    return run(script, join(work, 'program'), join(work, 'musl'));
  });
}

function run(script: string, output: string, ...words: string[]): Buffer {
  execFileSync(script, [output, ...words]);
  return readFileSync(output);
}

async function inWork(made: (work: string) => Buffer | Promise<Buffer>): Promise<Buffer> {
  const work = mkdtempSync(join(tmpdir(), 'corten-program-'));
  try {
    return await made(work);
  } finally {
    rmSync(work, { recursive: true });
  }
}
