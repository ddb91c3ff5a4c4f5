/** Maps the owners of files in bind mounts (config.md, "idmap"). */
import { withFd } from '../kernel/files.ts';
import type { PlannedMount } from './mounts.ts';
import { mapIds } from './rootfs.ts';
import { makeMappingNamespace } from './user-namespace.ts';

/** Applies each bind mount's own id map, or else the container's, if it has one. */
export function mapMountIds(
  planned: readonly PlannedMount[],
  fds: { procFd: number; programFd: number },
  containersFd: number | undefined,
): void {
  for (const { treeFd, options, source = '', ids } of planned) {
    if (treeFd === undefined || options.idmap === 'no') continue;
    const recursive = options.idmap === 'recursive';
    if (ids !== undefined)
      withFd(makeMappingNamespace(fds, ids.uids, ids.gids), (fd) =>
        mapIds(treeFd, source, fd, recursive),
      );
    else if (containersFd !== undefined) mapIds(treeFd, source, containersFd, recursive);
  }
}
