import { describe, expect, it } from "vitest";
import { printable } from "../../cli/printable.js";

describe("printable", () => {
  it("leaves what can be seen as it is, and nothing that steers a terminal", () => {
    expect(printable('{"title":"Für Elise – 音楽 🎵"}')).toBe('{"title":"Für Elise – 音楽 🎵"}');
    // Colours, a bell, a line feed, a C1 control, and text from right to left.
    expect(printable("\u001b[31mRED\u0007\n\u009b2J\u202eevil")).toBe("\\u{1b}[31mRED\\u{7}\\u{a}\\u{9b}2J\\u{202e}evil");
  });
});
