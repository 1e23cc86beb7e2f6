import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { idleSleepMs, Ticker } from "../../src/host/ticker.ts";
import { fakeClock } from "../fakes/clock.ts";

function fixture(tickMs: number) {
  const clock = fakeClock();
  const start = clock.monotonic();
  const state = { isIdle: false, ticks: 0, wakes: 0 };
  const ticker = new Ticker({
    clock,
    tickMs,
    isIdle: () => state.isIdle,
    tick(ticks) {
      state.ticks += ticks;
      state.wakes++;
    },
  });
  ticker.start();
  return { clock, start, state, ticker };
}

describe("Ticker", () => {
  it("Ticker ticks once per interval while something is going on", () => {
    const { clock, state, ticker } = fixture(50);
    for (let i = 1; i <= 40; i++) {
      clock.advance(50);
      assert.equal(state.ticks, i);
    }
    assert.equal(state.wakes, 40);
    assert.equal(ticker.lagMs, 0);
  });

  it("Ticker sleeps through ticks while idle, and misses none of them in its count", () => {
    const { clock, state, ticker } = fixture(50);
    state.isIdle = true;
    clock.advance(10_000);
    ticker.wake();
    assert.equal(state.ticks, 200);
    assert.ok(state.wakes <= 10_000 / idleSleepMs + 2, `${state.wakes} wake-ups`);
  });

  it("Ticker.wake() counts at once what was slept through, and ticks at its pace again", () => {
    const { clock, state, ticker } = fixture(50);
    state.isIdle = true;
    clock.advance(50);
    const before = state.ticks;
    clock.advance(120);
    assert.equal(state.ticks, before);
    state.isIdle = false;
    ticker.wake();
    assert.equal(state.ticks, 3);
    clock.advance(30);
    assert.equal(state.ticks, 4);
  });

  it("Ticker takes an interval that is longer than its idle sleep as it is", () => {
    const { clock, state } = fixture(1_000);
    state.isIdle = true;
    clock.advance(5_000);
    assert.equal(state.ticks, 5);
    assert.equal(state.wakes, 5);
  });

  it("Ticker.lagMs is how late a wake-up came, and fades", () => {
    const { clock, ticker } = fixture(50);
    const real = clock.monotonic.bind(clock);
    let late = 0;
    clock.monotonic = () => real() + late;
    late = 300;
    clock.advance(50);
    assert.equal(ticker.lagMs, 300);
    clock.advance(20_000);
    assert.ok(ticker.lagMs < 10, `${ticker.lagMs} ms`);
  });

  it("Ticker.stop() ends it", () => {
    const { clock, state, ticker } = fixture(50);
    ticker.stop();
    clock.advance(1_000);
    assert.equal(state.ticks, 0);
  });
});
