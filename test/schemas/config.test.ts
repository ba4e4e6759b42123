import { describe, expect, it } from "vitest";
import { DEFAULT_ACTIONS } from "../../schemas/config.js";
import { buildConfig, configKeys, defaultConfig, describeAllowed, nearest } from "../../schemas/config-validation.js";

const from = (values: unknown) => buildConfig([{ values, where: (path) => `test ${path.join(".")}` }]);
const refusal = (values: unknown): string => {
  try {
    from(values);
  } catch (error) {
    expect(error).toMatchObject({ name: "KindredError", code: "CONFIG_INVALID" });
    return (error as Error).message;
  }
  throw new Error("was accepted");
};

describe("the configuration's defaults", () => {
  it("are valid, and those that the contract names", () => {
    const config = defaultConfig();
    expect(config.server).toMatchObject({ host: "127.0.0.1", port: 7878, maxEventsPerRequest: 5000 });
    expect(config.dataDir).toBe("./data");
    expect(config.source.kind).toBe("journal");
    expect(Object.keys(config.fold.actions).sort()).toEqual(
      ["click", "collect", "comment", "dislike", "finish", "follow", "gift", "like", "play", "share", "skip"].sort(),
    );
    expect(
      Object.entries(config.fold.actions)
        .filter(([, weight]) => weight < 0)
        .map(([action]) => action)
        .sort(),
    ).toEqual(["dislike", "skip"]);
  });

  it("are frozen to the leaves and never shared", () => {
    const config = defaultConfig();
    expect(() => Object.assign(config.fold.actions, { play: 9 })).toThrow(TypeError);
    expect(Object.isFrozen(config.kafka.topics)).toBe(true);
    expect(Object.isFrozen(DEFAULT_ACTIONS)).toBe(false);
  });

  it("describe every key", () => {
    for (const { path, node } of configKeys()) {
      expect(node.description, path.join(".")).toBeTruthy();
      expect(describeAllowed(node), path.join(".")).not.toMatch(/undefined/);
    }
  });

  it("include the keys that others rely on", () => {
    const keys = configKeys().map(({ path }) => path.join("."));
    const named =
      "source.kind kafka.brokers kafka.groupId kafka.topics.events kafka.topics.items kafka.topics.changelog kafka.topics.deadLetters";
    expect(keys).toEqual(
      expect.arrayContaining([
        ...named.split(" "),
        "kafka.format",
        "registry.url",
        "redis.url",
        "index.engine",
        "auth.keys",
        "privacy.pseudonymKey",
      ]),
    );
  });
});

describe("buildConfig", () => {
  it("refuses limits of ef that leave nothing between them, and takes equal ones", () => {
    expect(() => from({ index: { efLeast: 200, efMost: 100 } })).toThrow(
      /index\.efLeast: 200 is above index\.efMost; allowed: at most 100/,
    );
    expect(from({ index: { efLeast: 200, efMost: 200 } }).index).toMatchObject({ efLeast: 200, efMost: 200 });
  });

  it("adds to tables, removes by an empty entry and needs whole entries", () => {
    expect(from({ fold: { actions: { purchase: 5, play: null } } }).fold.actions).toEqual({
      ...DEFAULT_ACTIONS,
      purchase: 5,
      play: undefined,
    });
    expect(from({ fold: { values: { click: { unit: 2, maxScale: 4 } } } }).fold.values).toMatchObject({
      click: { unit: 2, maxScale: 4 },
      gift: { unit: 1 },
    });
    expect(refusal({ fold: { values: { click: { unit: 2 } } } })).toBe(
      "fold.values.click: maxScale must be given too (test fold.values.click)",
    );
  });

  it("takes an empty section or value as not given", () => {
    expect(from({ server: null, index: { ef: null } })).toEqual(defaultConfig());
  });

  it.each([
    [{ fold: { actions: { purchase: 65 } } }, /^fold\.actions\.purchase: 65 is not a number from -64 to 64/],
    [{ fold: { actions: { purchase: "much" } } }, /^fold\.actions\.purchase: "much" is not a number/],
    [{ fold: { actions: { "buy now": 1 } } }, /^fold\.actions\.buy now: a name is/],
    [{ fold: { actions: 3 } }, /^fold\.actions: 3 is not a table/],
    [{ fold: { values: { purchase: { unit: 1, maxScale: 2 } } } }, /^fold\.values\.purchase: there is no such action; allowed: click/],
    [{ fold: { halfLifeDays: Number.NaN } }, /^fold\.halfLifeDays: /],
    [
      { fingerprint: { keywords: { genres: 1 } } },
      /^fingerprint\.keywords\.genres: there is no such key; did you mean fingerprint\.keywords\./,
    ],
    [{ server: [] }, /^server: \[\] is not a section with host, port/],
    [{ dataDir: "" }, /^dataDir: "" is not a text that is not empty/],
    [{ logging: { level: "INFO" } }, /^logging\.level: "INFO" is not one of trace/],
    [{ auth: { keys: [{ key: "short", scopes: [] }] } }, /^auth\.keys: /],
    [JSON.parse('{"__proto__": {"a": 1}}'), /^__proto__: there is no such key/],
    [{ constructor: 1 }, /^constructor: there is no such key/],
  ])("refuses %j by key, value and what is allowed", (values, message) => {
    expect(refusal(values)).toMatch(message);
  });

  it.each([
    [{ index: { engine: "milvus" } }, /^index\.engine: "milvus" is not available in this version; allowed: embedded, exact/],
    [{ auth: { keys: [{ key: "0123456789abcdef", scopes: ["events"] }] } }, /^auth\.keys: keys are not available/],
    [{ redis: { url: "redis://127.0.0.1" } }, /^redis\.url: /],
    [{ privacy: { pseudonymKey: "s" } }, /^privacy\.pseudonymKey: /],
    [{ server: { host: "0.0.0.0" } }, /^server\.host: "0\.0\.0\.0" is not a loopback address/],
  ])("refuses %j, which this version does not do, instead of ignoring it", (values, message) => {
    expect(refusal(values)).toMatch(message);
  });

  const kafka = (values: object, more: object = {}): object => ({
    source: { kind: "kafka" },
    kafka: { brokers: "a:9092,b:9093", format: "json", ...values },
    ...more,
  });

  it.each([
    [kafka({ brokers: "" }), /^kafka\.brokers: "" names no brokers; allowed: host:port/],
    [kafka({ brokers: "a:9092, b:9092" }), /^kafka\.brokers: /],
    [kafka({ format: "registry" }), /^registry\.url: "" is no address, and kafka\.format is registry/],
    [kafka({ topics: { events: "a b" } }), /^kafka\.topics\.events: "a b" is no name of a topic/],
    [kafka({ topics: { items: "x", events: "x" } }), /^kafka\.topics: two of them have the same name/],
    [kafka({ sasl: { mechanism: "plain", username: "u" } }), /^kafka\.sasl\.mechanism: a name and a password are needed/],
    [kafka({ ssl: { certFile: "c.pem" } }), /^kafka\.ssl\.certFile: certificate and key come together/],
    [kafka({ standby: "yes" }), /^kafka\.standby: "yes" is not true or false/],
  ])("refuses %j, which a Kafka source cannot be made of", (values, message) => {
    expect(refusal(values)).toMatch(message);
  });

  it("takes a Kafka source that names its brokers and registry, and ignores the section where the source is the journal", () => {
    const registry = { url: "http://127.0.0.1:8081" };
    expect(from(kafka({ format: "registry" }, { registry })).kafka.brokers).toBe("a:9092,b:9093");
    expect(from({ kafka: { brokers: "not read" } }).source.kind).toBe("journal");
  });

  it.each(["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost"])("lets a server without keys listen on %s", (host) => {
    expect(from({ server: { host } }).server.host).toBe(host);
  });

  it.each(["::", "10.0.0.1", "example.org", "127.0.0.1.example.org", "localhost.example.org", "", "128.0.0.1"])(
    "refuses to listen on %j without keys",
    (host) => {
      expect(refusal({ server: { host } })).toMatch(/^server\.host: /);
    },
  );

  it("finds the name that was meant", () => {
    expect(nearest("bodylimitbytes", ["host", "port", "bodyLimitBytes"])).toBe("bodyLimitBytes");
    expect(nearest("x", [])).toBeUndefined();
  });
});
