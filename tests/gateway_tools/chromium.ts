import { existsSync } from "node:fs";
import process from "node:process";
import { type BrowserContext, chromium, type Page } from "playwright-core";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** A Chromium of this machine: `FREEKILL_GW_CHROMIUM`, or where packages put it. */
export const chromiumPath: string | undefined = [process.env.FREEKILL_GW_CHROMIUM, ...places]
  .find((path) => path !== undefined && existsSync(path));

/** Why tests in a browser are skipped; false when they are not. */
export const noChromium: string | false = chromiumPath === undefined
  ? "no Chromium on this machine (Debian: apt-get install chromium)"
  : false;

export interface Tab {
  readonly page: Page;
  readonly context: BrowserContext;
  /** What went wrong in the page: errors that nobody caught, and what its policy forbade. */
  readonly faults: string[];
}

/** Runs `use` with a tab of a fresh headless browser. */
export async function withTab(use: (tab: Tab) => Promise<void>): Promise<void> {
  const browser = await chromium.launch({
    ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
    // Its own sandbox needs rights that containers do not give.
    args: ["--no-sandbox"],
  });
  try {
    const context = await browser.newContext({
      viewport: { width: 900, height: 620 },
      locale: "en-GB",
    });
    const page = await context.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(String(error)));
    page.on("console", (message) => {
      const text = message.text();
      // While the server is away, the browser itself says so for each attempt.
      const isAway = text.startsWith("WebSocket connection to") || text.includes("ERR_");
      const isIcon = message.location().url.endsWith("/favicon.ico");
      if (message.type() === "error" && !isAway && !isIcon) faults.push(text);
    });
    await use({ page, context, faults });
  } finally {
    await browser.close();
  }
}
