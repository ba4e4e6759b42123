import { expect, it } from "vitest";
import { Readers } from "../../../cli/wiring/readers.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("tells when those who were here have left, whoever comes meanwhile", async () => {
  const readers = new Readers();
  const left: string[] = [];
  const [a, b] = [readers.enter(), readers.enter()];
  void readers.left().then(() => left.push("a, b"));
  const c = readers.enter();
  void readers.left().then(() => left.push("c"));
  readers.enter();
  a();
  c();
  await turn();
  expect(left).toEqual([]);
  b();
  await turn();
  expect(left).toEqual(["a, b", "c"]);
});

it("waits for nobody where nobody is here", async () => {
  await new Readers().left();
});
