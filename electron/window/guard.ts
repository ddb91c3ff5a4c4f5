/** What no page may do: go elsewhere, open windows, embed, or ask for the computer's devices. */
import type { App, Session } from 'electron';
import { pageAddress } from './page.ts';

export function guardContents(app: Pick<App, 'on'>): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.setWindowOpenHandler(() => ({ action: 'deny' }));
    contents.on('will-attach-webview', (event) => event.preventDefault());
    // Loading the page again is the only way to go.
    const stay = (event: { url: string; preventDefault(): void }) => {
      if (event.url !== pageAddress) event.preventDefault();
    };
    contents.on('will-navigate', stay);
    contents.on('will-redirect', stay);
  });
}

export function guardSession(
  session: Pick<Session, 'setPermissionRequestHandler' | 'setPermissionCheckHandler'>,
): void {
  // Copy and paste in terminals is the one thing that the page needs.
  const allowed = new Set(['clipboard-read', 'clipboard-sanitized-write']);
  session.setPermissionRequestHandler((_contents, permission, answer) =>
    answer(allowed.has(permission)),
  );
  session.setPermissionCheckHandler((_contents, permission) => allowed.has(permission));
}
