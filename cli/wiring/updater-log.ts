/** Where the updater tells what it does: pino's logger, or the main thread's through a port. */
export interface UpdaterLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
