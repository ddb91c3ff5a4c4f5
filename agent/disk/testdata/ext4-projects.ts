import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why this kernel holds no directory of an ext4 to a limit; false where it does. */
export function lacksExt4Projects(): string | false {
  const place = mkdtempSync(join(tmpdir(), 'corten-ext4-projects-'));
  const image = join(place, 'image');
  try {
    const features = ['-O', 'quota,project', '-E', 'quotatype=prjquota'];
    execFileSync('mkfs.ext4', ['-q', ...features, image, '8m'], { stdio: 'ignore' });
    const mounted = spawnSync('mount', ['-o', 'loop,prjquota', image, place]);
    if (mounted.status === 0) execFileSync('umount', [place]);
    return (
      mounted.status !== 0 && 'this kernel has no project quota on ext4; scripts/test-guest has'
    );
  } finally {
    rmSync(place, { recursive: true });
  }
}
