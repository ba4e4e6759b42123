import { expect, it } from "vitest";
import { assertLoopback } from "../../api/keys.js";

it.each(["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LOCALHOST"])("listens on %s without keys", (host) => {
  expect(() => assertLoopback(host)).not.toThrow();
});

it.each(["0.0.0.0", "::", "10.0.0.1", "example.org", "127.0.0.1.example.org", "localhost.example.org", "", "128.0.0.1"])(
  "refuses %j without keys",
  (host) => {
    expect(() => assertLoopback(host)).toThrow(expect.objectContaining({ code: "CONFIG_INVALID" }));
  },
);
