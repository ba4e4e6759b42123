// biome-ignore lint/style/noRestrictedImports: what it loads is kafkajs, which is no addon.
import { createRequire } from "node:module";
import kafkajs from "kafkajs";
import { hideAborted, type PartitionAnswer } from "./aborted-records.js";
import { CODECS, decompress } from "./codecs.js";
import { type AnswerReader, readRecordBatch } from "./record-batch.js";

// Node finds no names in this part of the package.
const { CompressionCodecs } = kafkajs;

/** Parts of kafkajs for which it has no option. It loads both of them when it reads its first answer to a fetch. */
const PROTOCOL = "kafkajs/src/protocol";
const BATCH_DECODER = `${PROTOCOL}/recordBatch/v0/decoder`;
/** Versions of the answer that know of transactions. */
const FETCH_VERSIONS = [4, 5, 6, 7, 8, 9, 10, 11];

interface FetchAnswer {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly PartitionAnswer[] }[];
}

interface FetchDecoder {
  decode(bytes: Buffer): Promise<FetchAnswer>;
}

/**
 * Lets kafkajs read every codec that topics have (and write all but zstd), read batches as `readRecordBatch` does, and hide what was aborted as
 * `hideAborted` does.
 * @throws Error where kafkajs is not the version that package.json names
 */
function extendKafkajs(): void {
  for (const [type, codec] of Object.entries(CODECS)) CompressionCodecs[Number(type) as keyof typeof CODECS] = () => codec;
  const require = createRequire(import.meta.url);
  require(BATCH_DECODER);
  const decoder = require.cache[require.resolve(BATCH_DECODER)];
  if (decoder === undefined) throw new Error(`kafkajs has no ${BATCH_DECODER}`);
  decoder.exports = (answer: AnswerReader) => readRecordBatch(answer, decompress);
  for (const version of FETCH_VERSIONS) {
    const answers = require(`${PROTOCOL}/requests/fetch/v${version}/response`) as FetchDecoder;
    const { decode } = answers;
    answers.decode = async (bytes) => withoutAborted(await decode(bytes));
  }
}

const withoutAborted = (answer: FetchAnswer): FetchAnswer => ({
  ...answer,
  responses: answer.responses.map((topic) => ({ ...topic, partitions: topic.partitions.map(hideAborted) })),
});

extendKafkajs();
