import { ExactEngine } from "../../../index/vector-engine/exact-engine.js";
import { GENERATION, vectorEngineConformance } from "./conformance.js";

vectorEngineConformance("ExactEngine", (dims, metric) => new ExactEngine({ dims, metric, generation: GENERATION }), {
  deadlines: false,
});
