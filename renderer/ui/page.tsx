import type { ReactNode } from 'react';
import { Button } from './button.tsx';
import { Icon } from './icon.tsx';
import './page.css';
import { useWindowTitle } from './use-window-title.ts';

/** A place: its heading and tools, then its content. */
export function Page({
  title,
  tools,
  children,
}: {
  title: string;
  tools?: ReactNode;
  children: ReactNode;
}) {
  useWindowTitle(title);
  return (
    <div className="page">
      <header className="page-head">
        <h1 className="truncate">{title}</h1>
        {tools}
      </header>
      {children}
    </div>
  );
}

export function Empty({
  title,
  children,
  actions,
}: {
  title: string;
  children: ReactNode;
  actions?: ReactNode;
}) {
  return (
    <div className="empty">
      <h2>{title}</h2>
      <p>{children}</p>
      {actions ? <div className="empty-actions">{actions}</div> : null}
    </div>
  );
}

export function Notice({
  kind = 'error',
  children,
}: {
  kind?: 'error' | 'warn';
  children: ReactNode;
}) {
  return (
    <div className={kind === 'warn' ? 'notice warn' : 'notice'} role="alert">
      <Icon name="warning" />
      <div>{children}</div>
    </div>
  );
}

/** What could not be loaded, and the way to try again. */
export function LoadFailure({
  error,
  retryLabel,
  onRetry,
}: {
  error: string;
  retryLabel: string;
  onRetry: () => void;
}) {
  return (
    <Notice>
      {error}{' '}
      <Button icon="restart" onClick={onRetry}>
        {retryLabel}
      </Button>
    </Notice>
  );
}

/** Grey lines where content will be: the place does not jump when it comes. */
export function Skeleton({ lines, label }: { lines: number; label: string }) {
  return (
    <div role="status" aria-label={label} className="skeletons">
      {Array.from({ length: lines }, (_, line) => (
        <div
          // biome-ignore lint/suspicious/noArrayIndexKey: the lines never change places.
          key={line}
          className="skeleton"
          style={{ width: `${[72, 48, 64, 56][line % 4]}%`, margin: '12px 0' }}
        />
      ))}
    </div>
  );
}
