/** Mounts as one process sees them (proc_pid_mountinfo(5)). */

export interface MountEntry {
  id: number;
  /** The mount that this one lies on; of the topmost, one that is out of sight. */
  parentId: number;
  /** Which file system: `major:minor` of its st_dev. */
  device: string;
  /** The directory or file of that file system that is mounted. */
  root: string;
  mountPoint: string;
  /** Of this mount alone: `ro`, `nosuid`, `nodev`, `noexec`, … */
  options: readonly string[];
  /** `overlay`, `tmpfs`, `ext4`, … */
  type: string;
  source: string;
  /** Of the file system, which all its mounts share. */
  superOptions: readonly string[];
}

/**
 * `36 35 0:30 / /sys/fs/cgroup/cpu rw shared:9 - cgroup cgroup rw,cpu`. What separates fields and
 * lines is escaped in every one of them, so a name cannot pose as something else; lines that are
 * not of this form are left out.
 */
export function parseMountinfo(text: string): MountEntry[] {
  return text
    .split('\n')
    .map(parseLine)
    .filter((entry) => entry !== undefined);
}

function parseLine(line: string): MountEntry | undefined {
  const fields = line.split(' ');
  // Optional fields lie between the sixth and the dash.
  const dash = fields.indexOf('-', 6);
  const [id, parentId, device, root, mountPoint, options] = fields;
  const [type, source, superOptions] = dash === -1 ? [] : fields.slice(dash + 1);
  if (device === undefined || root === undefined || mountPoint === undefined) return undefined;
  if (options === undefined || type === undefined || source === undefined) return undefined;
  return {
    id: Number(id),
    parentId: Number(parentId),
    device,
    root: withoutEscapes(root),
    mountPoint: withoutEscapes(mountPoint),
    options: options.split(','),
    type: withoutEscapes(type),
    source: withoutEscapes(source),
    superOptions: (superOptions ?? '').split(',').map(withoutEscapes),
  };
}

/** Space, tab, newline and backslash are octal escapes (mangle_path, fs/seq_file.c). */
function withoutEscapes(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
