import type { Random } from "./random.js";

const ONSETS = [
  "b",
  "br",
  "d",
  "dr",
  "f",
  "fl",
  "g",
  "h",
  "j",
  "k",
  "kl",
  "l",
  "m",
  "n",
  "p",
  "pr",
  "r",
  "s",
  "sk",
  "st",
  "t",
  "tr",
  "v",
  "vl",
  "w",
  "z",
];
const VOWELS = ["a", "e", "i", "o", "u", "ai", "eo", "ia", "ou", "y"];
const CODAS = ["", "", "", "l", "m", "n", "r", "s", "sh", "nd", "rk", "th"];
const FIRST = [
  "amber",
  "brass",
  "chalk",
  "copper",
  "dusk",
  "ember",
  "fern",
  "glass",
  "hollow",
  "indigo",
  "lantern",
  "marsh",
  "north",
  "opal",
  "paper",
  "quarry",
  "rain",
  "salt",
  "thistle",
  "velvet",
  "willow",
  "zinc",
];
const GENRE = ["drift", "folk", "pulse", "shuffle", "chant", "swing", "haze", "march", "reel", "hum", "stomp", "waltz"];
const NOUNS = [
  "bridge",
  "kite",
  "window",
  "harbour",
  "mirror",
  "orchard",
  "signal",
  "staircase",
  "train",
  "weather",
  "garden",
  "ladder",
  "compass",
  "ferry",
  "lamp",
  "river",
];
const SUBJECTS = [
  "gardens",
  "tides",
  "old machines",
  "small courts",
  "night trains",
  "kitchens",
  "maps",
  "birds",
  "bridges",
  "sleep",
  "letters",
  "clocks",
];
const MOODS = ["calm", "bright", "restless", "tender", "grim", "playful", "wide", "sleepy"];

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** Invented names: syllables and plain words put together, none of them meant to be anyone's. */
export class Names {
  private readonly taken = new Set<string>();

  constructor(private readonly random: Random) {}

  private word(syllables: number): string {
    let word = "";
    for (let i = 0; i < syllables; i++)
      word += this.random.pick(ONSETS) + this.random.pick(VOWELS) + (i === syllables - 1 ? this.random.pick(CODAS) : "");
    return capital(word);
  }

  /** Never the same name twice. A town with more names than there are gets numbered ones. */
  private unique(make: () => string): string {
    let name = make();
    for (let attempt = 2; this.taken.has(name); attempt++) name = attempt < 20 ? make() : `${make()} ${attempt}`;
    this.taken.add(name);
    return name;
  }

  artist(): string {
    return this.unique(() =>
      this.random.chance(0.3) ? `The ${this.word(2)}s` : `${this.word(this.random.between(1, 2))} ${this.word(2)}`,
    );
  }

  song(): string {
    const { random } = this;
    if (random.chance(0.5)) return `${capital(random.pick(FIRST))} ${capital(random.pick(NOUNS))}`;
    return random.chance(0.5) ? `${this.word(2)}'s ${capital(random.pick(NOUNS))}` : `${capital(random.pick(NOUNS))} of ${this.word(2)}`;
  }

  live(host: string): string {
    return `${host} live: ${this.random.pick(FIRST)} ${this.random.pick(NOUNS)} session`;
  }

  podcast(): string {
    return this.unique(() => `${this.word(2)} on ${this.random.pick(SUBJECTS)}`);
  }

  genre(): string {
    return this.unique(() => `${this.random.pick(FIRST)}-${this.random.pick(GENRE)}`);
  }

  mood(): string {
    return this.random.pick(MOODS);
  }
}
