/**
 * Resolves the user of a container's process: `user[:group]` by name or number, looked up in the
 * image's passwd(5) and group(5). Parsing is strict: what is not a plain number is a name.
 */
import { invalid } from '../../errors.ts';
import { fieldsOf, isId, maxId, type PasswdEntry, parsePasswd } from '../../runtime/passwd.ts';

export interface ResolvedUser {
  uid: number;
  gid: number;
  /** All supplementary groups, the primary one first, as dockerd does. */
  additionalGids: number[];
  /** The home directory. `/` for a user that the image does not know. */
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/** `extraGroups` is `--group-add`. Throws invalid, in dockerd's words. */
export function resolveUser(
  spec: string,
  files: { passwd: string; group: string },
  extraGroups: readonly string[] = [],
): ResolvedUser {
  const [userPart = '', groupPart = '', ...rest] = spec.split(':');
  if (rest.length > 0 || /\s/.test(spec))
    throw invalid(`invalid user "${spec}": write it as user or user:group, by name or number`);
  const groups = parseGroups(files.group);
  const { entry, uid } = findUser(userPart, parsePasswd(files.passwd));
  const chosenGid = groupPart === '' ? undefined : findGroup(groupPart, groups);
  const gid = chosenGid ?? entry?.gid ?? 0;
  // A named group is used alone; without one the user's memberships apply.
  const memberships =
    chosenGid === undefined && entry !== undefined
      ? groups.filter(({ members }) => members.includes(entry.name)).map((group) => group.gid)
      : [];
  const added = extraGroups.map((group) => findAddedGroup(group, groups));
  return {
    uid,
    gid,
    additionalGids: [...new Set([gid, ...memberships, ...added])],
    home: entry?.home || '/',
  };
}

function findUser(
  user: string,
  entries: PasswdEntry[],
): { entry: PasswdEntry | undefined; uid: number } {
  const wanted = user === '' ? 0 : numberOf(user);
  // A number means that id, even if somebody has it as a name.
  const entry = entries.find((one) =>
    wanted === undefined ? one.name === user : one.uid === wanted,
  );
  const uid = entry?.uid ?? wanted;
  if (uid === undefined)
    throw invalid(`unable to find user ${user}: no matching entries in passwd file`);
  return { entry, uid };
}

function findGroup(group: string, entries: GroupEntry[]): number {
  const gid = numberOf(group) ?? entries.find(({ name }) => name === group)?.gid;
  if (gid === undefined)
    throw invalid(`unable to find group ${group}: no matching entries in group file`);
  return gid;
}

function findAddedGroup(group: string, entries: GroupEntry[]): number {
  const gid =
    group === '' ? undefined : (numberOf(group) ?? entries.find(({ name }) => name === group)?.gid);
  if (gid === undefined) throw invalid(`Unable to find group ${group}`);
  return gid;
}

/** Returns undefined for text that is no number. Throws for a number that no user can have. */
function numberOf(text: string): number | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const number = Number(text);
  if (!/^\d+$/.test(text) || number > maxId)
    throw invalid(`uids and gids must be in range 0-${maxId}, and ${text} is not`);
  return number;
}

function parseGroups(text: string): GroupEntry[] {
  return fieldsOf(text).flatMap(([name = '', , gid = '', members = '']) =>
    name !== '' && isId(gid)
      ? [{ name, gid: Number(gid), members: members.split(',').filter(Boolean) }]
      : [],
  );
}
