/**
 * For `sh -c`: the person's shell if the container names one, else the best there is. Not a login shell: a
 * distribution's /etc/profile would overwrite the PATH that the image sets.
 */
export const interactiveShell =
  'for shell in "$SHELL" bash ash sh; do command -v "$shell" >/dev/null 2>&1 && exec "$shell"; done';
