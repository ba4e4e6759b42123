import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NativeReadModel } from "../../../index/read-model/native-read-model.js";
import { runReadModelConformance } from "./conformance.js";

runReadModelConformance("NativeReadModel", {
  open: (limits) => NativeReadModel.create(limits),
  close: (model) => (model as NativeReadModel).close(),
  async reopen(model, limits) {
    const directory = await mkdtemp(join(tmpdir(), "kindred-read-model-"));
    try {
      await (model as NativeReadModel).save(directory);
      return (await NativeReadModel.open(directory, limits))!;
    } finally {
      await rm(directory, { recursive: true });
    }
  },
});
