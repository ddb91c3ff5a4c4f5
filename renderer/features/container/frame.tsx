import { type ReactNode, useEffect } from 'react';
import { Link, useLocation } from 'wouter';
import { useText } from '../../messages/use-text.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { findContainer, useContainers } from '../../stores/containers.ts';
import { inspect } from '../../stores/inspection.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, Skeleton } from '../../ui/page.tsx';
import { useWindowTitle } from '../../ui/use-window-title.ts';
import './container.css';
import { Header } from './header.tsx';

export const views = ['overview', 'terminal', 'logs', 'limits', 'isolation', 'inspect'] as const;
export type View = (typeof views)[number];

/** One container: its head, the ways to its views, and the view. */
export function ContainerFrame({
  reference,
  view,
  children,
}: {
  reference: string;
  view: View;
  children: (row: ContainerRow) => ReactNode;
}) {
  const t = useText();
  const [, navigate] = useLocation();
  const row = useContainers((state) => findContainer(state.rows, reference));
  const loaded = useContainers((state) => state.loaded);
  useFreshInspection(row);
  useWindowTitle(row?.name ?? (loaded ? t('container.gone') : undefined));

  if (!row)
    return loaded ? (
      <Empty
        title={t('container.gone')}
        actions={<Button onClick={() => navigate('/')}>{t('container.back')}</Button>}
      >
        {t('container.goneHelp', { reference })}
      </Empty>
    ) : (
      <div className="page-body">
        <Skeleton lines={6} label={t('containers.loading')} />
      </div>
    );
  const base = `/containers/${row.id.slice(0, 12)}`;
  return (
    <div className="page">
      <Header row={row} />
      <nav className="views" aria-label={t('container.views')}>
        {views.map((one) => (
          <Link
            key={one}
            href={one === 'overview' ? base : `${base}/${one}`}
            aria-current={one === view ? 'page' : undefined}
          >
            {t(`view.${one}`)}
          </Link>
        ))}
      </nav>
      {children(row)}
    </div>
  );
}

/** The row changes with every event that touches the container: that is when its document is old. */
function useFreshInspection(row: ContainerRow | undefined): void {
  useEffect(() => {
    if (row) void inspect(row.id);
  }, [row]);
}
