import { Icon, type IconName } from './icon.tsx';
import './status-mark.css';

type StatusIcon = Extract<
  IconName,
  'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'
>;

/** A state as icon and word: the colour only repeats it. */
export function StatusMark({
  status,
  word,
  bad = false,
  pending = false,
}: {
  status: StatusIcon;
  word: string;
  bad?: boolean;
  pending?: boolean;
}) {
  const classes = ['status-mark', status, bad && 'bad', pending && 'pending'];
  return (
    <span className={classes.filter(Boolean).join(' ')}>
      <Icon name={status} size={14} />
      <span className="truncate">{word}</span>
    </span>
  );
}
