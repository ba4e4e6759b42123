/** Where the updater tells what it does; pino's logger is one. */
export interface UpdaterLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
