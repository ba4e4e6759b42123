import { pino } from "pino";
import type { Config } from "../../schemas/config.js";

/** Log lines as JSON on stderr. */
export function makeLogger(config: Config): ReturnType<typeof pino> {
  return pino({ level: config.logging.level, name: "kindred" }, pino.destination({ dest: 2, sync: true }));
}
