/**
 * The app's unix socket in the run directory, mode 0600: only its own user and root reach it, so it asks for
 * no token. The `corten` command uses it for the bridge and for links into a browser.
 */

export const localSocketName = 'app.sock';

/** `GET`: who serves here, as `AppFacts`. */
export const appPath = '/app';
/** `POST`: lets one more browser in, or shows the app's window; answers `AppLink`. */
export const linkPath = '/link';

export interface AppFacts {
  pid: number;
  version: string;
  shell: 'electron' | 'browser';
  /** The browser shell's origin, such as `http://127.0.0.1:4000`; nobody gets in by it alone. */
  origin?: string;
}

export interface AppLink {
  /** Works once, and the link given out before it no longer. Absent: the app has shown its own window. */
  address?: string;
}
