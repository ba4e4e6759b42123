import { MemoryReadModel } from "../../../index/read-model/memory-read-model.js";
import { runReadModelConformance } from "./conformance.js";

// Against itself the random part shows only that it is deterministic; the known answers are what tests it.
runReadModelConformance("MemoryReadModel", { open: (limits) => new MemoryReadModel(limits), close: () => {} });
