/** Lists and removes what the app has installed on a host, and nothing else. */
import { computersDirectory } from '../../../agent/contract/share-wire.ts';
import type { Footprint, FootprintItem } from '../../contract/machines.ts';
import {
  apiSocket,
  ownMark,
  programDirectory,
  runDirectory,
  stateDirectory,
  unitName,
  unitPath,
} from './paths.ts';
import type { RemoteShell } from './remote-shell.ts';
import { helper, stopService } from './service.ts';

const isOurs = `[ -e ${programDirectory}/${ownMark} ]`;

/** Prints lines of part, KiB and path. Shared folders are left out, because one of an absent computer would block. */
const footprintScript = `
${isOurs} || exit 0
for each in program:${programDirectory} program:${unitPath} program:${runDirectory} state:${stateDirectory}; do
  path=\${each#*:}
  [ -e "$path" ] && printf '%s %s %s\\n' "\${each%%:*}" "$(du -skx --exclude=${computersDirectory} "$path" | cut -f1)" "$path"
done
:
`;

/** `$1` is yes where the state is removed too. Left-over mounts of containers are unmounted first. */
const removeScript = `
set -e
${isOurs}
release() {
  awk -v under="$1/" 'index($2, under) == 1 { print $2 }' /proc/self/mounts | sort -r |
    while read -r mounted; do umount -l "$mounted"; done
}
if [ -e ${unitPath} ]; then
  rm -f ${unitPath} /etc/systemd/system/multi-user.target.wants/${unitName}
  [ ! -d /run/systemd/system ] || systemctl daemon-reload
fi
release ${runDirectory}
rm -rf --one-file-system ${runDirectory}
if [ "$1" = yes ]; then
  release ${stateDirectory}
  rm -rf --one-file-system ${stateDirectory}
fi
rm -rf --one-file-system ${programDirectory}/*
rm -rf --one-file-system ${programDirectory}
`;

export async function footprintOf(shell: RemoteShell): Promise<Footprint> {
  const { code, out, err } = await shell.runAsRoot(footprintScript);
  if (code !== 0) throw new Error(`What is there cannot be read: ${err || out}`);
  const items = out.split('\n').flatMap((line): FootprintItem[] => {
    const [, part, kib, path] = /^(program|state) (\d+) (.+)$/.exec(line) ?? [];
    if (path === undefined) return [];
    return [{ part: part as FootprintItem['part'], path, sizeBytes: Number(kib) * 1024 }];
  });
  return { items, runningContainers: items.length === 0 ? 0 : await runningContainers(shell) };
}

/** The mark that the files are ours is removed last, so that a failed removal can be repeated. */
export async function removeEngine(shell: RemoteShell, what: { state: boolean }): Promise<void> {
  const { items, runningContainers: running } = await footprintOf(shell);
  if (items.length === 0) return;
  if (running > 0) {
    const { code, err } = await helper(shell, 'stop-all', apiSocket);
    if (code !== 0)
      throw new Error(
        `The containers there could not be stopped: ${err}. Stop them yourself, and remove the machine again.`,
      );
  }
  await stopService(shell);
  const { code, err } = await shell.runAsRoot(removeScript, what.state ? 'yes' : 'no');
  if (code !== 0)
    throw new Error(
      `Not everything could be removed: ${err || `status ${code}`}. What is left is still marked as ours; remove the machine again.`,
    );
}

/** An engine that does not answer counts as one without running containers. */
async function runningContainers(shell: RemoteShell): Promise<number> {
  const { code, out } = await helper(shell, 'running', apiSocket);
  return code === 0 ? Number(out) : 0;
}
