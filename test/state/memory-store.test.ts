import { MemoryStore } from "../../state/memory-store.js";
import { storeConformance } from "./store-conformance.js";

storeConformance("MemoryStore", async () => {
  const store = new MemoryStore();
  return { open: async () => store.reopen(), dispose: async () => undefined };
});
