import type { MessageKey } from '../../messages/en.ts';
import { useText } from '../../messages/use-text.ts';
import { Dialog } from '../../ui/dialog.tsx';
import './palette.css';

const keys: [string, MessageKey][] = [
  ['Ctrl K', 'shortcuts.palette'],
  ['?', 'shortcuts.title'],
  ['N', 'containers.new'],
  ['/', 'containers.filter'],
  ['↑ ↓', 'shortcuts.move'],
  ['Enter', 'shortcuts.open'],
  ['Space', 'shortcuts.select'],
  ['Ctrl A', 'shortcuts.selectAll'],
  ['Esc', 'containers.clearSelection'],
  ['S', 'shortcuts.startStop'],
  ['R', 'verb.restart'],
  ['P', 'shortcuts.pause'],
  ['T', 'view.terminal'],
  ['L', 'view.logs'],
  ['M', 'view.limits'],
  ['Del', 'verb.remove'],
  ['Ctrl ⇧ C', 'shortcuts.copy'],
  ['Ctrl ⇧ V', 'shortcuts.paste'],
  ['Ctrl ⇧ F', 'terminal.search'],
  ['⇧ Esc', 'shortcuts.leaveTerminal'],
];

export function Shortcuts({ onClose }: { onClose: () => void }) {
  const t = useText();
  return (
    <Dialog title={t('shortcuts.title')} open onClose={onClose} wide>
      <dl className="shortcuts">
        {keys.map(([key, words]) => (
          <div key={key}>
            <dt>{t(words)}</dt>
            <dd>
              <kbd>{key}</kbd>
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
