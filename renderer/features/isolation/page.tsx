import { useEffect } from 'react';
import { useText } from '../../messages/use-text.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { loadIsolation, useIsolation } from '../../stores/isolation.ts';
import { Button } from '../../ui/button.tsx';
import { Icon } from '../../ui/icon.tsx';
import { Notice, Skeleton } from '../../ui/page.tsx';
import { Capabilities } from './capabilities.tsx';
import { ControlGroup } from './control-group.tsx';
import { Devices, KernelPaths, ResourceLimits } from './guards.tsx';
import './isolation.css';
import { Mounts } from './mounts.tsx';
import { Namespaces } from './namespaces.tsx';
import { OtherLimits } from './other-limits.tsx';
import { Identity, Privileges } from './privileges.tsx';
import { Warnings } from './warnings.tsx';

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

/** What the container is kept from, and by what: weaknesses first, then everything in turn. */
export function IsolationView({ row }: { row: ContainerRow }) {
  const t = useText();
  const report = useIsolation((state) => state.reports[row.id]);
  const error = useIsolation((state) => state.errors[row.id]);
  // The row is new after each event: what the kernel has may be other than before.
  useEffect(() => {
    void loadIsolation(row.id);
  }, [row]);
  if (!report)
    return (
      <div className="page-body isolation">
        {error ? <Notice>{error}</Notice> : <Skeleton lines={8} label={t('isolation.loading')} />}
      </div>
    );
  const fromKernel = report.source === 'kernel';
  return (
    <div className="page-body isolation">
      {error ? <Notice>{error}</Notice> : null}
      <div className="isolation-head">
        <Icon name={fromKernel ? 'check' : 'clock'} />
        <p role="status">
          {fromKernel
            ? t('isolation.fromKernel', { time: clock.format(new Date(report.readAt)) })
            : t('isolation.planned')}
        </p>
        <span className="spacer" />
        <Button icon="restart" onClick={() => void loadIsolation(row.id)}>
          {t('isolation.again')}
        </Button>
      </div>
      <Warnings warnings={report.warnings} />
      <Namespaces facts={report.namespaces} />
      <ControlGroup fact={report.controlGroup} />
      {/* An older engine tells of none. */}
      <OtherLimits facts={report.otherLimits ?? []} />
      <div className="isolation-pair">
        <Identity fact={report.identity} />
        <Privileges facts={report.privileges} />
      </div>
      <Capabilities facts={report.capabilities} />
      <Mounts facts={report.mounts} unlisted={report.unlistedMounts} />
      <KernelPaths facts={report.kernelPaths} />
      <Devices facts={report.devices} />
      <ResourceLimits facts={report.resourceLimits} />
    </div>
  );
}
