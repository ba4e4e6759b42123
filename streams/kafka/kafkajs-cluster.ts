import type { Kafka } from "kafkajs";

/** How kafkajs talks to its brokers: what of it is changed here. */
interface Cluster {
  findGroupCoordinatorMetadata(asked: { readonly groupId: string; readonly coordinatorType: number }): Promise<unknown>;
}

type MakeCluster = (options: object) => Cluster;

/** Transactions of one producer ask for it several times each. Where it has moved, they fail, and a new producer asks anew. */
const COORDINATOR_MS = 1_000;

/**
 * A client whose admin sees the ends of topics as they are: kafkajs asks for them as a reader of committed records does, and has no option for it.
 */
export const withUncommitted = (kafka: Kafka): Kafka => withCluster(kafka, (make) => (options) => make({ ...options, isolationLevel: 0 }));

/** A client whose producers remember for a second who coordinates their transactions: kafkajs asks a broker again for each step of each. */
export const withKnownCoordinator = (kafka: Kafka): Kafka =>
  withCluster(kafka, (make) => (options) => {
    const cluster = make(options);
    const ask = cluster.findGroupCoordinatorMetadata.bind(cluster);
    const known = new Map<string, { readonly answer: Promise<unknown>; readonly until: number }>();
    cluster.findGroupCoordinatorMetadata = (asked) => {
      const key = `${asked.coordinatorType} ${asked.groupId}`;
      const before = known.get(key);
      if (before !== undefined && performance.now() < before.until) return before.answer;
      const answer = ask(asked);
      known.set(key, { answer, until: performance.now() + COORDINATOR_MS });
      answer.catch(() => known.delete(key));
      return answer;
    };
    return cluster;
  });

/** What kafkajs is made of hides behind symbols. @throws Error where kafkajs is not the version that package.json names */
function withCluster(kafka: Kafka, change: (make: MakeCluster) => MakeCluster): Kafka {
  const makeCluster = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === "private:Kafka:createCluster");
  if (!makeCluster) throw new Error("kafkajs makes its clusters in another way");
  return Object.create(kafka, { [makeCluster]: { value: change(Reflect.get(kafka, makeCluster) as MakeCluster) } }) as Kafka;
}
