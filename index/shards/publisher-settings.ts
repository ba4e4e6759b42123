import type { Config } from "../../schemas/config.js";
import type { PublisherSettings } from "./shard-publisher.js";

/** A publisher as the configuration wants it. */
export function publisherSettings(index: Config["index"]): PublisherSettings {
  return {
    limits: {
      minRows: index.minGraphRows,
      freshCap: index.freshLimit,
      freshShare: index.rebuildShare,
      targetRecall: index.targetRecall,
    },
    build: { m: index.m, efConstruction: index.efConstruction },
    minRecall: index.verifyRecall,
    efLimits: { least: index.efLeast, most: index.efMost },
  };
}
