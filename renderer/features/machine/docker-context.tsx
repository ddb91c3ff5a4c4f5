import { useEffect } from 'react';
import { useText } from '../../messages/use-text.ts';
import {
  loadContext,
  removeDockerContext,
  setUpDockerContext,
  useForward,
} from '../../stores/forward.ts';
import { useMachines } from '../../stores/machines.ts';
import { Button } from '../../ui/button.tsx';
import { Notice } from '../../ui/page.tsx';

/** Whether the docker CLI knows this machine, and the buttons that make it so. */
export function DockerContextCard() {
  const t = useText();
  const { context, contextError } = useForward();
  const shown = useMachines((state) => state.shown);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another machine has another context.
  useEffect(() => void loadContext(), [shown]);
  return (
    <section className="card machine-part" aria-label={t('context.title')}>
      <h2>{t('context.title')}</h2>
      <p className="muted">{t('context.about')}</p>
      {contextError ? <Notice>{contextError}</Notice> : null}
      {context ? (
        <>
          <dl className="machine-pairs">
            <div>
              <dt>{t('context.state', { name: context.name })}</dt>
              <dd>{t(`context.${stateOf(context)}`)}</dd>
            </div>
            <div>
              <dt>{t('context.leadsTo')}</dt>
              <dd className="mono">{context.host}</dd>
            </div>
          </dl>
          {context.socketCause ? <Notice>{context.socketCause}</Notice> : null}
          {context.overriddenBy ? (
            <Notice kind="warn">
              {t('context.overridden', { variable: context.overriddenBy })}
            </Notice>
          ) : null}
          {context.isSetUp && !context.isCurrent ? (
            <p className="muted">{t('context.line', { name: context.name })}</p>
          ) : null}
          <Buttons isSetUp={context.isSetUp} isCurrent={context.isCurrent} />
        </>
      ) : null}
    </section>
  );
}

function Buttons({ isSetUp, isCurrent }: { isSetUp: boolean; isCurrent: boolean }) {
  const t = useText();
  return (
    <div className="machine-buttons">
      {isSetUp ? null : (
        <Button onClick={() => void setUpDockerContext(false)}>{t('context.doSetUp')}</Button>
      )}
      {isCurrent && isSetUp ? null : (
        <Button onClick={() => void setUpDockerContext(true)}>
          {t(isSetUp ? 'context.use' : 'context.doUse')}
        </Button>
      )}
      {isSetUp ? (
        <Button onClick={() => void removeDockerContext()}>{t('context.remove')}</Button>
      ) : null}
    </div>
  );
}

function stateOf({ isSetUp, isCurrent }: { isSetUp: boolean; isCurrent: boolean }) {
  if (!isSetUp) return 'none';
  return isCurrent ? 'current' : 'setUp';
}
