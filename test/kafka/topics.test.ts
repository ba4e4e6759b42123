import { afterAll, beforeAll, expect, it } from "vitest";
import { PATIENT } from "../../streams/kafka/client.js";
import { endsOf, readableEndsOf } from "../../streams/kafka/topics.js";
import { KafkaFixture } from "./kafka-fixture.js";

const fixture = new KafkaFixture();
beforeAll(() => fixture.open());
afterAll(() => fixture.close());

it("the end of a topic counts what is not committed yet, which a reader of committed records does not see", async () => {
  const topic = fixture.topics.files;
  const transactionalId = `${fixture.settings.groupId}-open`;
  const producer = fixture.kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1, retry: PATIENT });
  await producer.connect();
  const transaction = await producer.transaction();
  await transaction.send({ topic, messages: [{ key: "a", value: "b", partition: 0 }] });
  expect(await readableEndsOf(fixture.kafka, topic)).toEqual(new Map([[0, { low: 0, high: 0 }]]));
  expect(await endsOf(fixture.kafka, topic)).toEqual(new Map([[0, { low: 0, high: 1 }]]));
  const follower = await fixture.follower(topic);
  const taken: string[] = [];
  follower.follow(topic, 0, 0, { take: (records) => void taken.push(...records.map(({ key }) => String(key))) });
  const caughtUp = follower.caughtUp(topic, 0);
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(taken).toEqual([]);
  await transaction.commit();
  await caughtUp;
  expect(taken).toEqual(["a"]);
  await producer.disconnect();
});
