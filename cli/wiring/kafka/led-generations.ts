import type { Config } from "../../../schemas/config.js";
import { KindredError } from "../../../schemas/errors.js";
import type { Generations } from "../../../schemas/ports/generations.js";
import { ownsModels } from "../item-vectors.js";
import type { LiveGenerations } from "../live-generations.js";
import type { CatalogueLeader } from "./catalogue-leader.js";

/** What an updater does with generations: all of it where it makes the catalogues, nothing where another one does. */
export function ledGenerations(leader: CatalogueLeader, live: LiveGenerations, config: Config): Generations {
  return {
    list: () => leader.leads(() => live.list()),
    publish: async (folder) => {
      if (ownsModels(config))
        throw new KindredError("USAGE", "over Kafka models are published where models.directory names a folder that all nodes share");
      return leader.leads(() => live.publish(folder));
    },
    activate: (generation) => leader.leads(() => live.activate(generation)),
    retire: (generation) => leader.leads(() => live.retire(generation)),
  };
}
