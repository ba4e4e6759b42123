type Numbers = Uint32Array | Float64Array;

/** A typed array that grows by half; new places hold 0. */
export class GrowingTable<Table extends Numbers> {
  values: Table;
  length = 0;

  constructor(private readonly type: { new (length: number): Table }) {
    this.values = new type(1 << 8);
  }

  /** Makes it at least so long. */
  reach(length: number): void {
    if (length <= this.length) return;
    this.length = length;
    if (length <= this.values.length) return;
    const grown = new this.type(Math.ceil(1.5 * length));
    grown.set(this.values);
    this.values = grown;
  }
}
