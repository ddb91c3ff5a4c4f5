/**
 * Asks wslapi.dll for registered distributions, which is faster than starting wsl.exe
 * (https://learn.microsoft.com/windows/win32/api/wslapi/). Processes are not started through it,
 * because it offers no standard streams that Node could use.
 */
import { createRequire } from 'node:module';

type Koffi = typeof import('koffi').default;

export interface WslApi {
  isRegistered(name: string): boolean;
  /** Undefined for a name that is not registered. */
  configuration(name: string): WslConfiguration | undefined;
}

export interface WslConfiguration {
  defaultUid: number;
  /** WSL_DISTRIBUTION_FLAGS: the distribution may start Windows programs. */
  hasInterop: boolean;
  /** Windows drives are mounted in the distribution. */
  mountsDrives: boolean;
}

const flagInterop = 0x1;
const flagDriveMounting = 0x4;

/** Undefined where the library is missing, as on a Windows without WSL. */
export function loadWslApi(library = 'wslapi.dll'): WslApi | undefined {
  let dll: ReturnType<Koffi['load']>;
  try {
    // koffi is loaded only here, since only Windows needs it.
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    dll = koffi.load(library);
  } catch {
    // wsl.exe answers the same, only slower, and explains what is missing.
    return undefined;
  }
  const isRegistered = dll.func('int WslIsDistributionRegistered(str16)');
  const getConfiguration = dll.func(
    'int32_t WslGetDistributionConfiguration(str16, _Out_ uint32_t *, _Out_ uint32_t *, _Out_ int32_t *, _Out_ void **, _Out_ uint32_t *)',
  );
  return {
    isRegistered: (name) => isRegistered(name) !== 0,
    configuration(name) {
      const version = [0];
      const uid = [0];
      const flags = [0];
      // The caller should free the variables with CoTaskMemFree; a leak of a few dozen bytes a call is
      // accepted instead of loading ole32.dll.
      const result = getConfiguration(name, version, uid, flags, [null], [0]);
      if (result < 0) return undefined;
      return {
        defaultUid: uid[0] ?? 0,
        hasInterop: ((flags[0] ?? 0) & flagInterop) !== 0,
        mountsDrives: ((flags[0] ?? 0) & flagDriveMounting) !== 0,
      };
    },
  };
}
