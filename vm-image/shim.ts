/** The shim for the guest's processor, which may not be this machine's. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Debian, packageFiles } from './debian.ts';

const own = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];

export async function shimFor(debian: Debian, repository: string): Promise<Buffer> {
  // scripts/setup has built it.
  if (debian.architecture === own) return readFileSync(join(repository, 'dist/shim/shim'));
  if (debian.architecture !== 'arm64')
    throw new Error(`scripts/build-shim crosses to arm64 only, not to ${debian.architecture}`);
  const work = mkdtempSync(join(tmpdir(), 'corten-shim-'));
  try {
    const [musl] = debian.download(['musl-dev']);
    const wanted = (path: string) => /^usr\/(include|lib)\//.test(path);
    for await (const { path, type, content } of packageFiles(musl!.path, wanted)) {
      if (type !== 'file') continue;
      mkdirSync(dirname(join(work, 'musl', path)), { recursive: true });
      writeFileSync(join(work, 'musl', path), content);
    }
    const output = join(work, 'shim');
    execFileSync(join(repository, 'scripts/build-shim'), [output, join(work, 'musl')]);
    return readFileSync(output);
  } finally {
    rmSync(work, { recursive: true });
  }
}
