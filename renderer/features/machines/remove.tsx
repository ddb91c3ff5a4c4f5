import { useEffect, useState } from 'react';
import { useLocation } from 'wouter';
import type { Footprint, FootprintItem, MachineView } from '../../bridge/machines.ts';
import { formatBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { footprintOf, removeAt } from '../../stores/machines.ts';
import { messageOf } from '../../stores/sentence.ts';
import { Button } from '../../ui/button.tsx';
import { CheckField } from '../../ui/checkbox.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Notice, Skeleton } from '../../ui/page.tsx';
import './machines.css';

/** Says what is there and would go, before anything goes. */
export function RemoveMachine({ machine, onClose }: { machine: MachineView; onClose: () => void }) {
  const t = useText();
  const [, navigate] = useLocation();
  const [footprint, setFootprint] = useState<Footprint>();
  const [unreachable, setUnreachable] = useState<string>();
  const [failure, setFailure] = useState<string>();
  const [state, setState] = useState(false);
  const [busy, setBusy] = useState(false);
  const { id, name } = machine;

  useEffect(() => {
    let current = true;
    footprintOf(id).then(
      (found) => current && setFootprint(found),
      (error) => current && setUnreachable(messageOf(error)),
    );
    return () => {
      current = false;
    };
  }, [id]);

  const remove = async () => {
    setBusy(true);
    setFailure(undefined);
    try {
      await removeAt(machine, { state, ...(unreachable ? { forgetOnly: true } : {}) });
      onClose();
      navigate('~/');
    } catch (error) {
      setFailure(messageOf(error));
      setBusy(false);
    }
  };

  return (
    <Dialog title={t('remove.machineTitle', { name })} open onClose={onClose}>
      <div className="machine-form">
        {footprint ? (
          <Found footprint={footprint} state={state} onState={setState} />
        ) : unreachable ? (
          <Notice kind="warn">
            <p>{t('remove.machineUnreachable', { cause: unreachable })}</p>
            <p>{t('remove.machineForget')}</p>
          </Notice>
        ) : (
          <Skeleton lines={3} label={t('remove.machineLooking')} />
        )}
        {failure ? <Notice>{failure}</Notice> : null}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button
            kind="danger"
            disabled={busy || (!footprint && !unreachable)}
            onClick={() => void remove()}
          >
            {t(
              busy
                ? 'remove.machineBusy'
                : unreachable
                  ? 'remove.machineForgetConfirm'
                  : 'remove.machineConfirm',
            )}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

function Found({
  footprint: { items, runningContainers },
  state,
  onState,
}: {
  footprint: Footprint;
  state: boolean;
  onState: (state: boolean) => void;
}) {
  const t = useText();
  const program = items.filter(({ part }) => part === 'program');
  const kept = items.filter(({ part }) => part === 'state');
  if (items.length === 0) return <p>{t('remove.machineNothing')}</p>;
  return (
    <>
      {program.length > 0 ? (
        <>
          <p className="muted">{t('remove.machineProgram')}</p>
          <Paths items={program} />
        </>
      ) : null}
      {kept.length > 0 ? (
        <>
          <p className="muted">{t('remove.machineState')}</p>
          <Paths items={kept} />
          <CheckField label={t('remove.machineStateToo')} checked={state} onChange={onState} />
        </>
      ) : null}
      {runningContainers > 0 ? (
        <Notice kind="warn">{t('remove.machineRunning', { count: runningContainers })}</Notice>
      ) : null}
    </>
  );
}

function Paths({ items }: { items: FootprintItem[] }) {
  return (
    <ul className="footprint">
      {items.map(({ path, sizeBytes }) => (
        <li key={path}>
          <code>{path}</code>
          <span className="muted">{sizeBytes === undefined ? '' : formatBytes(sizeBytes)}</span>
        </li>
      ))}
    </ul>
  );
}
