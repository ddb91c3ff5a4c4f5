import { useEffect } from 'react';
import { useText } from '../../messages/use-text.ts';
import { useProcesses, watchProcesses } from '../../stores/processes.ts';
import { chooseView, introduce, useUserspaceView } from '../../stores/userspace-view.ts';
import { Notice, Skeleton } from '../../ui/page.tsx';
import { Segments } from '../../ui/segments.tsx';
import { totalsOf } from './figures.ts';
import { Picture } from './picture-view.tsx';
import { ProcessTable } from './table.tsx';
import './userspace.css';

/** Every process of the machine: first as one crowd, then boxed by the container that it is in. */
export function UserspaceMap() {
  const t = useText();
  const { userspace, error } = useProcesses();
  const view = useUserspaceView();
  useEffect(watchProcesses, []);
  const seen = userspace !== undefined;
  useEffect(() => {
    if (!seen) return;
    return introduce(matchMedia('(prefers-reduced-motion: reduce)').matches);
  }, [seen]);
  return (
    <div className="page-body userspace">
      <div className="userspace-tools">
        <Segments
          label={t('userspace.measure')}
          value={view.measure}
          choices={[
            { value: 'memoryBytes', label: t('userspace.memory') },
            { value: 'cpus', label: t('userspace.cpu') },
          ]}
          onChange={(measure) => chooseView({ measure })}
        />
        <Segments
          label={t('userspace.form')}
          value={view.form}
          choices={[
            { value: 'picture', label: t('userspace.picture') },
            { value: 'table', label: t('userspace.table') },
          ]}
          onChange={(form) => chooseView({ form })}
        />
        {view.form === 'picture' ? (
          <Segments
            label={t('userspace.arrangement')}
            value={view.arrangement}
            choices={[
              { value: 'shared', label: t('userspace.shared') },
              { value: 'boxed', label: t('userspace.boxed') },
            ]}
            onChange={(arrangement) => chooseView({ arrangement })}
          />
        ) : null}
        {userspace ? (
          <p className="userspace-totals muted">
            {totalsOf(userspace, t).map((total) => (
              <span key={total}>{total}</span>
            ))}
          </p>
        ) : null}
      </div>
      {error ? <Notice>{error}</Notice> : null}
      {userspace === undefined ? (
        <Skeleton lines={8} label={t('userspace.loading')} />
      ) : view.form === 'table' ? (
        <ProcessTable owners={userspace.owners} measure={view.measure} />
      ) : (
        <>
          <p className="muted">
            {view.arrangement === 'shared' ? t('userspace.sharedHelp') : t('userspace.boxedHelp')}
          </p>
          <Picture
            owners={userspace.owners}
            measure={view.measure}
            arrangement={view.arrangement}
          />
        </>
      )}
    </div>
  );
}
