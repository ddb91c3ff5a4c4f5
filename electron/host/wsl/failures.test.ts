import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeOutput } from './command.ts';
import { listedVersion } from './distribution.ts';
import { errorCode, wslFailure } from './failures.ts';

test('the code is found in any language, and in the words of older versions', () => {
  const cases: [string, string | undefined][] = [
    ['Kein Platz.\nFehlercode: Wsl/Service/RegisterDistro/ERROR_DISK_FULL', 'ERROR_DISK_FULL'],
    ['失敗\nエラー コード: Wsl/Service/CreateInstance/CreateVm/HCS/0x80370102', '0x80370102'],
    ['WslRegisterDistribution failed with error: 0x8007019e', '0x8007019e'],
    ['Bash/Service/E_FAIL', 'E_FAIL'],
    ['It just did not work.', undefined],
  ];
  for (const [output, code] of cases) assert.equal(errorCode(output), code);
});

test('each known code has its cause and its next step', () => {
  const cases: [string, RegExp, RegExp][] = [
    ['HCS_E_HYPERV_NOT_INSTALLED', /virtualization is off/, /firmware/],
    ['0x80370102', /virtualization is off/, /hypervisorlaunchtype/],
    ['WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED', /not installed/, /--no-distribution/],
    ['WSL_E_OS_NOT_SUPPORTED', /version of Windows/, /19041/],
    ['ERROR_ALREADY_EXISTS', /of this name/, /--unregister corten/],
    ['ERROR_DISK_FULL', /is full/, /Free some space/],
    ['WSL_E_DISK_CORRUPTED', /damaged/, /repair a VHD/],
    ['ERROR_SHARING_VIOLATION', /in use/, /--shutdown/],
    ['WSL_E_DISTRO_NOT_FOUND', /any more/, /created again/],
    ['WSL_E_IMPORT_FAILED', /could not unpack/, /2 GB/],
    ['ERROR_COMMITMENT_LIMIT', /not enough memory/, /\.wslconfig/],
    ['WSL_E_WSL2_NEEDED', /WSL 1/, /--set-version corten 2/],
    ['ERROR_ACCESS_DISABLED_BY_POLICY', /policy/, /whoever manages/],
    ['E_ACCESSDENIED', /does not let this account/, /permissions/],
    ['HCS_E_CONNECTION_TIMEOUT', /in time/, /--shutdown/],
  ];
  for (const [code, cause, nextStep] of cases) {
    const answer = { code: 4294967295, output: `…\nFehlercode: Wsl/Service/${code}` };
    const failure = wslFailure(answer, 'corten', 'start');
    assert.match(failure.message, cause);
    assert.match(failure.message, new RegExp(code));
    assert.match(failure.nextStep, nextStep);
  }
});

test('an unknown failure keeps what was said', () => {
  const unknown = wslFailure({ code: 1, output: 'first\n\nlast words' }, 'corten', 'stop');
  assert.match(unknown.message, /could not stop "corten" \(exit code 1\).*first last words/);
  assert.match(unknown.nextStep, /wsl --update/);
});

test('output is read in both encodings', () => {
  const text = 'Ungültig „überhaupt“ 失敗\r\nzweite\r\n';
  const read = 'Ungültig „überhaupt“ 失敗\nzweite';
  assert.equal(decodeOutput(Buffer.from(text, 'utf8')), read);
  assert.equal(decodeOutput(Buffer.from(`\ufeff${text}`, 'utf16le')), read);
});

test('the list is read without its words', () => {
  const list = [
    '  NAME                   STATE           VERSION',
    '* Ubuntu-24.04           Running         2',
    '  corten                 Beendet         1',
    '  corten-2               停止            2',
  ].join('\n');
  assert.equal(listedVersion(list, 'corten'), 1);
  assert.equal(listedVersion(list, 'corten-2'), 2);
  assert.equal(listedVersion(list, 'Ubuntu'), undefined);
  assert.equal(
    listedVersion('Error code: Wsl/WSL_E_DEFAULT_DISTRO_NOT_FOUND', 'corten'),
    undefined,
  );
});
