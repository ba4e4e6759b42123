import { type AddressInfo, connect } from "node:net";
import { expect, it } from "vitest";
import { testServer } from "./test-server.js";

const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

it("close() answers what is under way, and refuses what comes meanwhile with 503 and Retry-After", async () => {
  const { api, plays, intake } = testServer();
  await plays("ada", "song:1");
  await api.listen({ port: 0, host: "127.0.0.1" });
  const { port } = api.server.address() as AddressInfo;
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  const search = intake.engine.searchFrom.bind(intake.engine);
  const begun = new Promise<void>((resolve) => {
    intake.engine.searchFrom = async (ordinal, options) => {
      resolve();
      await held;
      return search(ordinal, options);
    };
  });

  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => (text += chunk));
  const ended = new Promise((resolve) => socket.on("close", resolve));
  socket.write(request("/v1/recall/u2u?user=ada"));
  await begun;
  api.server.once("request", () => release());
  const closing = api.close();
  // On the connection of the request under way: new connections are refused outright.
  socket.write(request("/v1/recall/u2i?user=ada"));
  await ended;
  await closing;
  const [first, second] = text.split("HTTP/1.1 ").slice(1);
  expect(first).toMatch(/^200 /);
  expect(first).toContain('"rung":"popular"');
  expect(second).toMatch(/^503 /);
  expect(second).toContain('"code":"NOT_READY"');
  expect(second?.toLowerCase()).toContain("retry-after: 1");
});
