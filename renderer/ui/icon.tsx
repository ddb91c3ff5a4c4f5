/** The icons, as 16 px strokes. They are decoration: the word or label beside them carries the meaning. */
const paths = {
  container: 'M2.5 5 8 2.2 13.5 5v6L8 13.8 2.5 11zM2.5 5 8 7.8 13.5 5M8 7.8v6',
  image: 'M8 2 14 5 8 8 2 5zM2 8l6 3 6-3M2 11l6 3 6-3',
  volume:
    'M2.5 4.5c0-1.4 2.5-2.2 5.5-2.2s5.5.8 5.5 2.2S11 6.7 8 6.7s-5.5-.8-5.5-2.2M2.5 4.5v7c0 1.4 2.5 2.2 5.5 2.2s5.5-.8 5.5-2.2v-7M2.5 8c0 1.4 2.5 2.2 5.5 2.2s5.5-.8 5.5-2.2',
  activity: 'M1.5 8h3L6.5 3l3 10 2-5h3',
  machine: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01',
  start: 'M5 3.2v9.6L12.6 8z',
  unpause: 'M5 3.2v9.6L12.6 8z',
  stop: 'M4.2 4.2h7.6v7.6H4.2z',
  restart: 'M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  kill: 'M8.8 1.5 3.5 9H8l-.8 5.5L12.5 7H8z',
  remove: 'M3 4.5h10M6.5 4.5V2.8h3v1.7M4.3 4.5l.6 8.7h6.2l.6-8.7M6.8 7v3.8M9.2 7v3.8',
  rename: 'M10.8 2.7 13.3 5.2 5.5 13H3v-2.5zM9.3 4.2l2.5 2.5',
  terminal: 'M2 3h12v10H2zM4.5 6l2 2-2 2M8.5 10h3',
  logs: 'M3 4h10M3 7h10M3 10h7M3 13h5',
  limits: 'M3 13V9M3 6V3M8 13V10M8 7V3M13 13V7M13 4V3M1.5 9h3M6.5 7h3M11.5 7h3',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  plus: 'M8 3v10M3 8h10',
  search: 'M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9M10.4 10.4 14 14',
  close: 'M4 4l8 8M12 4l-8 8',
  check: 'M3 8.5 6.5 12 13 4.5',
  minus: 'M4 8h8',
  up: 'M3.5 10 8 5.5 12.5 10',
  down: 'M3.5 6 8 10.5 12.5 6',
  right: 'M6 3.5 10.5 8 6 12.5',
  restarting: 'M13 8a5 5 0 1 1-1.6-3.7M13 2v3h-3',
  removing: 'M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3M5.5 8h5',
  running: 'M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3M6.9 6v4l3.2-2z',
  paused: 'M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3M6.7 6.2v3.6M9.3 6.2v3.6',
  exited: 'M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3M6.3 6.3h3.4v3.4H6.3z',
  created: 'M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3',
  dead: 'M8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3M6.2 6.2l3.6 3.6M9.8 6.2 6.2 9.8',
  warning: 'M8 2.5 14.5 13.5h-13zM8 6.5v3.5M8 11.8h.01',
  open: 'M6 3H3v10h10v-3M9 3h4v4M13 3 7.5 8.5',
  download: 'M8 2.5v8M4.5 7.5 8 11l3.5-3.5M3 13.5h10',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  follow: 'M8 2.5v7M4.5 6.5 8 10l3.5-3.5M3 13h10',
  eye: 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8M8 6a2 2 0 1 1 0 4 2 2 0 0 1 0-4',
  clock: 'M8 2.5a5.5 5.5 0 1 1 0 11 5.5 5.5 0 0 1 0-11M8 5v3l2 1.5',
  keyboard: 'M1.5 4h13v8h-13zM4 6.5h.01M6.7 6.5h.01M9.3 6.5h.01M12 6.5h.01M5 9.5h6',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg
      aria-hidden="true"
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'more' ? 2.2 : 1.4}
      strokeLinecap="round"
      strokeLinejoin="round"
    >
      <path d={paths[name]} />
    </svg>
  );
}
