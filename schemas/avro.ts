/**
 * The Avro schemas of what a log holds, the same in the journal and on a topic. `behaviour-event.avsc` and `item-info.avsc`
 * hold the same JSON for producers (a test compares them): here they are values, because this folder does no I/O.
 */

/** A behaviour event: `BehaviourEvent` of event.ts. */
export const BEHAVIOUR_EVENT_AVRO = {
  type: "record",
  name: "BehaviourEvent",
  namespace: "kindred",
  doc: "One thing a user did.",
  fields: [
    { name: "user", type: "string", doc: "1 to 128 characters" },
    { name: "item", type: "string", doc: "1 to 128 characters; song:42 gives the type song unless type is set" },
    { name: "action", type: "string", doc: "click, play, finish, like, ...: one of the configured actions" },
    { name: "ts", type: { type: "long", logicalType: "timestamp-millis" }, doc: "event time" },
    { name: "id", type: ["null", "string"], default: null, doc: "idempotency key, at most 64 characters" },
    { name: "type", type: ["null", "string"], default: null, doc: "kind of item" },
    { name: "scene", type: ["null", "string"], default: null, doc: "business scene: music, live, podcast, ..." },
    { name: "value", type: ["null", "double"], default: null, doc: "seconds played, amount given; from 0" },
  ],
} as const;

/** An item's side information: `ItemInfo` of item.ts. */
export const ITEM_INFO_AVRO = {
  type: "record",
  name: "ItemInfo",
  namespace: "kindred",
  doc: "What is known of an item beside behaviour.",
  fields: [
    { name: "item", type: "string", doc: "1 to 128 characters" },
    { name: "type", type: "string", doc: "kind of item: song, artist, live, podcast, ..." },
    { name: "title", type: ["null", "string"], default: null, doc: "at most 512 characters" },
    { name: "creators", type: { type: "array", items: "string" }, default: [], doc: "at most 64" },
    { name: "tags", type: { type: "array", items: "string" }, default: [], doc: "at most 64" },
    { name: "scene", type: ["null", "string"], default: null, doc: "business scene" },
    {
      name: "tagWeights",
      type: { type: "array", items: "double" },
      default: [],
      doc: "none, or one above 0 for each of tags: how strongly it holds",
    },
  ],
} as const;
