import { storeConformance } from "../state/store-conformance.js";
import { MemoryStore } from "./memory-store.js";

storeConformance("MemoryStore", async () => {
  const store = new MemoryStore();
  return { open: async () => store.reopen(), dispose: async () => undefined };
});
