import { ExactEngine } from "../../../index/vector-engine/exact-engine.js";
import { GENERATION, ITEM_DIMS, vectorEngineConformance } from "./conformance.js";

for (const size of [undefined, ...ITEM_DIMS])
  vectorEngineConformance(
    "ExactEngine",
    (dims, metric) => new ExactEngine({ dims, metric, generation: GENERATION }),
    { deadlines: false },
    size,
  );
