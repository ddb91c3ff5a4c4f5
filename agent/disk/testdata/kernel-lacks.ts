/** Why some tests of disk limits cannot run on this kernel; false where they can. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

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

export const lacksBtrfs = (): string | false =>
  !/\bbtrfs\b/.test(readFileSync('/proc/filesystems', 'utf8')) && 'this kernel has no btrfs';
