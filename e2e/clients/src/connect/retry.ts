/** A client of a chat never gives up by itself. */
export const retryAttempts = Number.POSITIVE_INFINITY;

/** A quarter of a second, then twice as long each time, up to 8 s; give or take half, so that a crowd doesn't return as one. */
export function delay(retries: number): number {
  return Math.min(250 * 2 ** retries, 8000) * (0.5 + Math.random());
}

/** Waits that long. */
export function pause(retries: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delay(retries)));
}
