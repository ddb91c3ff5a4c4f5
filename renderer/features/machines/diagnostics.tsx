import { useEffect, useState } from 'react';
import type { DiagnosticsFile, MachineView } from '../../bridge/machines.ts';
import { formatBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { diagnosticsOf } from '../../stores/machines.ts';
import { messageOf } from '../../stores/sentence.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Notice, Skeleton } from '../../ui/page.tsx';
import './machines.css';

/** Lists what is inside first; what is saved is just that. */
export function Diagnostics({ machine, onClose }: { machine: MachineView; onClose: () => void }) {
  const t = useText();
  const [found, setFound] = useState<{ files: DiagnosticsFile[]; body: Uint8Array }>();
  const [failure, setFailure] = useState<string>();
  const { id, name } = machine;

  useEffect(() => {
    let current = true;
    diagnosticsOf(id).then(
      (diagnostics) => current && setFound(diagnostics),
      (error) => current && setFailure(messageOf(error)),
    );
    return () => {
      current = false;
    };
  }, [id]);

  const save = () => {
    if (!found) return;
    const day = new Date().toISOString().slice(0, 10);
    const url = URL.createObjectURL(
      new Blob([new Uint8Array(found.body)], { type: 'application/gzip' }),
    );
    const link = document.createElement('a');
    link.href = url;
    link.download = `corten-diagnostics-${day}.tar.gz`;
    link.click();
    // The browser has taken it over by then.
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
    onClose();
  };

  return (
    <Dialog title={t('diagnostics.title', { name })} open onClose={onClose}>
      <div className="machine-form">
        <p className="muted">{t('diagnostics.what')}</p>
        {found ? (
          <ul className="footprint">
            {found.files.map((file) => (
              <li key={file.name}>
                <code>{file.name}</code>
                <span className="muted">
                  {file.note} {formatBytes(file.sizeBytes)}
                </span>
              </li>
            ))}
          </ul>
        ) : failure ? (
          <Notice>{t('diagnostics.failed', { cause: failure })}</Notice>
        ) : (
          <Skeleton lines={4} label={t('diagnostics.collecting')} />
        )}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="main" icon="download" disabled={!found} onClick={save}>
            {t('diagnostics.save')}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
