import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { refusalAdvice } from './namespace-refusal.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-settings-'));
after(() => rmSync(directory, { recursive: true }));

const { EACCES, EPERM, ENOSPC } = constants.errno;
let count = 0;

/** What is said where the kernel has these settings. */
function advice(kernel: Record<string, string>, errno: number, programPath = '/opt/corten/shim') {
  const settings = join(directory, String(count++));
  mkdirSync(join(settings, 'kernel'), { recursive: true });
  for (const [name, value] of Object.entries(kernel))
    writeFileSync(join(settings, 'kernel', name), `${value}\n`);
  return refusalAdvice({ errno, programPath, settings });
}

/** What the command that is advised puts into a file. */
function profileIn(text: string): string {
  const [, command = ''] =
    /as root, run: (printf .*) >\/etc\/apparmor\.d\/corten && /s.exec(text) ?? [];
  return execFileSync('sh', ['-c', command], { encoding: 'utf8' });
}

test('AppArmor’s restriction is told, with a profile for the one program that needs it', () => {
  const restricted = { apparmor_restrict_unprivileged_userns: '1', unprivileged_userns_clone: '1' };
  for (const errno of [EPERM, EACCES]) {
    const text = advice(restricted, errno);
    assert.match(text, /^AppArmor gives them only to programs that have a profile; as root, run: /);
    assert.match(text, /&& apparmor_parser -r \/etc\/apparmor\.d\/corten$/);
    assert.equal(
      profileIn(text),
      'abi <abi/4.0>,\nprofile corten "/opt/corten/shim" flags=(unconfined) {\n  userns,\n}\n',
    );
  }
});

test('a path with characters that mean something to the shell or to AppArmor stays a path', () => {
  const text = advice(
    { apparmor_restrict_unprivileged_userns: '1' },
    EPERM,
    "/home/o'neil/a b/[x]*/shim",
  );
  assert.match(
    profileIn(text),
    /^profile corten "\/home\/o'neil\/a b\/\\\[x\\\]\\\*\/shim" flags/m,
  );
});

test('other settings are told by their names, and AppArmor is not where it restricts nothing', () => {
  const unrestricted = { apparmor_restrict_unprivileged_userns: '0' };
  assert.match(
    advice({ ...unrestricted, unprivileged_userns_clone: '0' }, EPERM),
    /kernel\.unprivileged_userns_clone=1$/,
  );
  assert.match(
    advice({ apparmor_restrict_unprivileged_userns: '1' }, ENOSPC),
    /user\.max_user_namespaces/,
  );
  for (const kernel of [unrestricted, {}])
    assert.doesNotMatch(advice(kernel, EPERM), /AppArmor|unprivileged_userns_clone/);
});
