import assert from "node:assert/strict";
import { it } from "node:test";
import { preferredMetricsForm } from "../../src/wire/accept.ts";

it("preferredMetricsForm() is JSON unless a text form is strictly preferred", () => {
  for (
    const accept of [
      null,
      "",
      "*/*",
      "application/json",
      "text/html,*/*;q=0.8",
      "text/plain,*/*",
      "text/plain;q=0.5,application/json;q=0.9",
      "text/plain;q=nonsense",
      "text/plain;q=0",
    ]
  ) assert.equal(preferredMetricsForm(accept), "json", String(accept));
});

it("preferredMetricsForm() is Prometheus text for its scrapers", () => {
  for (
    const accept of [
      "text/plain",
      "TEXT/PLAIN;version=0.0.4;q=0.5,*/*;q=0.1",
      "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2,*/*;q=0.1",
    ]
  ) assert.equal(preferredMetricsForm(accept), "prometheus", accept);
});
